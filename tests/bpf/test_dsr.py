"""Direct server return: the ingress node's half."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror

from lab.bpf import tables as t
from lab.bpf.codes import Reason, ServiceFlag2

from .dsr import OPTION
from .node import (
    CLIENT,
    CONFIG,
    NATIVE,
    NODE,
    NODE2,
    REMOTE_POD,
    VIP,
    direct,
)
from .noise import ones_complement
from .packets import FROM_ROUTER, PORT, datagram, request, same
from .rig import REDIRECT, SHOT, Backend, Rig


def native(rig: Rig) -> Rig:
    """Without a tunnel the identity of a remote pod names no tunnel endpoint."""
    rig.identity(REMOTE_POD, 4321)
    return rig


def option_of(packet: Any) -> bytes:
    return bytes(packet[IP])[20 : packet[IP].ihl * 4]


def test_syn_carries_the_service_and_keeps_the_client(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    out = native(dsr).run("from_netdev", request())
    assert out.verdict == REDIRECT
    assert option_of(out.frame) == OPTION
    wanted = IP(src=CLIENT, dst=REMOTE_POD, ttl=63, options=OPTION)
    same(out.frame, FROM_ROUTER / wanted / TCP(sport=PORT, dport=8080, flags="S"))
    assert list(dsr.map(t.SNAT).items()) == []


def test_later_segments_carry_nothing(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    native(dsr).run("from_netdev", request())
    out = dsr.run("from_netdev", request(flags="A"))
    wanted = IP(src=CLIENT, dst=REMOTE_POD, ttl=63) / TCP(sport=PORT, dport=8080, flags="A")
    same(out.frame, FROM_ROUTER / wanted)


def test_every_datagram_carries_it(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD)], proto=17)
    for _ in range(2):
        out = native(dsr).run("from_netdev", datagram(CLIENT, VIP, dport=80))
        assert option_of(out.frame) == OPTION
        wanted = IP(src=CLIENT, dst=REMOTE_POD, ttl=63, options=OPTION)
        same(out.frame, FROM_ROUTER / wanted / UDP(sport=PORT, dport=80) / b"q")


def test_every_fragment_carries_it(dsr: Rig) -> None:
    """Each is forwarded on its own; the bit for that is part of the option's type (RFC 791)."""
    dsr.service(VIP, 80, [Backend(REMOTE_POD)], proto=17)
    whole = bytes(datagram(CLIENT, VIP, dport=80, data=bytes(100)))[34:]
    for at, more in ((0, "MF"), (8, 0)):
        piece = IP(src=CLIENT, dst=VIP, id=7, proto=17, frag=at, flags=more)
        data = whole[:64] if more else whole[64:]
        out = native(dsr).run("from_netdev", FROM_ROUTER / piece / data)
        assert (out.verdict, option_of(out.frame)) == (REDIRECT, OPTION)
        assert (out.frame[IP].frag, out.frame[IP].len) == (at, 28 + len(data))
    assert dsr.dropped() == {}


def test_hybrid_is_dsr_for_tcp_and_snat_for_udp(make_rig: Callable[..., Rig]) -> None:
    rig = native(make_rig(direct(CONFIG, 6)))
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.service(VIP, 80, [Backend(REMOTE_POD)], proto=17)
    assert rig.run("from_netdev", request()).frame[IP].src == CLIENT
    assert rig.run("from_netdev", datagram(CLIENT, VIP, dport=80)).frame[IP].src == NODE


def test_one_service_may_ask_for_it(make_rig: Callable[..., Rig]) -> None:
    rig = native(make_rig(NATIVE))
    rig.service(VIP, 80, [Backend(REMOTE_POD)], flags2=ServiceFlag2.FORWARD_DSR)
    rig.service(VIP, 81, [Backend(REMOTE_POD)])
    assert option_of(rig.run("from_netdev", request()).frame) == OPTION
    assert rig.run("from_netdev", request(dport=81)).frame[IP].src == NODE


@pytest.mark.parametrize("protocols", [(), (6,)], ids=["dsr", "hybrid"])
def test_one_service_may_ask_for_translation(
    make_rig: Callable[..., Rig], protocols: tuple[int, ...]
) -> None:
    """Also where others are answered directly: its annotation counts more than the lab's mode."""
    rig = native(make_rig(direct(CONFIG, *protocols)))
    rig.service(VIP, 80, [Backend(REMOTE_POD)], flags2=0)
    rig.service(VIP, 81, [Backend(REMOTE_POD)])
    assert rig.run("from_netdev", request()).frame[IP].src == NODE
    assert rig.run("from_netdev", request(dport=81)).frame[IP].src == CLIENT


def test_tunnel_never_uses_it(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(CONFIG)
    rig.service(VIP, 80, [Backend(REMOTE_POD)], flags2=ServiceFlag2.FORWARD_DSR)
    assert option_of(rig.run("from_netdev", request()).frame) == b""


def test_datagram_too_big_for_the_option_is_answered(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD)], proto=17)
    out = native(dsr).run("from_netdev", datagram(CLIENT, VIP, dport=80, data=bytes(1470)))
    assert out.verdict == REDIRECT
    icmp = out.frame[ICMP]
    assert (out.frame[IP].src, out.frame[IP].dst) == (NODE, CLIENT)
    assert (icmp.type, icmp.code, icmp.nexthopmtu, icmp[IPerror].dst) == (3, 4, 1492, VIP)
    assert dsr.dropped() == {Reason.FRAG_NEEDED: 1}


@pytest.mark.parametrize("program", ["from_netdev", "xdp_entry"])
def test_it_goes_before_other_options(dsr: Rig, program: str) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD)])
    segment = TCP(sport=PORT, dport=80, flags="S") / b"at once"
    dsr.route(REMOTE_POD, NODE2)
    for other in (b"\x01" * 4, OPTION[:2] + b"another", b"\x94\x04\0\0" * 8):
        sent = FROM_ROUTER / IP(src=CLIENT, dst=VIP, options=other) / segment
        out = native(dsr).run(program, sent)
        padded = other.ljust(-(-len(other) // 4) * 4, b"\0")
        wanted = IP(src=CLIENT, dst=REMOTE_POD, ttl=63, options=OPTION + padded) / segment
        same(out.frame, FROM_ROUTER / wanted)


def test_header_that_is_full_cannot_take_it(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD)])
    for length in (36, 40):
        sent = FROM_ROUTER / IP(src=CLIENT, dst=VIP, options=b"\x01" * length)
        out = native(dsr).run("from_netdev", sent / TCP(sport=PORT, dport=80, flags="S"))
        assert out.verdict == SHOT
    assert dsr.dropped() == {Reason.CT_INVALID_HEADER: 2}


def test_damaged_header_is_not_mended_on_the_way(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD)])
    sent = request()
    sent[IP].chksum = 0x1234
    damage = ones_complement(bytes(sent)[14:34])
    out = native(dsr).run("from_netdev", sent)
    assert option_of(out.frame) == OPTION
    assert ones_complement(out.packet[14:42]) == damage
