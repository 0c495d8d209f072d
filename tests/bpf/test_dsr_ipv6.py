"""Direct server return over IPv6: the service travels in a destination options header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (
    HBHOptUnknown,
    ICMPv6PacketTooBig,
    IPerror6,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Ether

from lab.bpf import tables as t
from lab.bpf.codes import CtFlag, Reason, ServiceFlag2, TupleFlag

from .dsr import TOLD, told
from .node import (
    CLIENT_6,
    DUAL,
    GATEWAY_MAC,
    NODE_6,
    NODE_MAC,
    POD_6,
    POD_LABEL,
    REMOTE_POD_6,
    VIP_6,
    direct,
)
from .packets import FROM_POD, FROM_ROUTER, PORT, reply, request, same
from .rig import REDIRECT, SHOT, Backend, Rig

NATIVE = replace(DUAL, tunnel=False)
DSR = direct(NATIVE)
MakeRig = Callable[..., Rig]


@pytest.fixture
def dsr(make_rig: MakeRig) -> Rig:
    return native(make_rig(DSR))


def native(rig: Rig) -> Rig:
    """Without a tunnel the identity of a remote pod names no tunnel endpoint."""
    rig.identity(REMOTE_POD_6, POD_LABEL)
    return rig


def datagram6(size: int = 1, **ip: Any) -> Any:
    return (
        FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6, **ip) / UDP(sport=PORT, dport=80) / bytes(size)
    )


def test_syn_carries_the_service_and_keeps_the_client(dsr: Rig) -> None:
    dsr.service(VIP_6, 80, [Backend(REMOTE_POD_6, 8080)])
    out = dsr.run("from_netdev", request(CLIENT_6, VIP_6))
    assert out.verdict == REDIRECT
    assert bytes(out.frame[IPv6])[40:64] == b"\x06" + TOLD
    wanted = IPv6(src=CLIENT_6, dst=REMOTE_POD_6, hlim=63) / told(6)
    same(out.frame, FROM_ROUTER / wanted / TCP(sport=PORT, dport=8080, flags="S"))
    assert list(dsr.map(t.SNAT6).items()) == []


def test_later_segments_carry_nothing(dsr: Rig) -> None:
    dsr.service(VIP_6, 80, [Backend(REMOTE_POD_6, 8080)])
    dsr.run("from_netdev", request(CLIENT_6, VIP_6))
    out = dsr.run("from_netdev", request(CLIENT_6, VIP_6, flags="A"))
    wanted = IPv6(src=CLIENT_6, dst=REMOTE_POD_6, hlim=63)
    same(out.frame, FROM_ROUTER / wanted / TCP(sport=PORT, dport=8080, flags="A"))


def test_every_datagram_carries_it(dsr: Rig) -> None:
    dsr.service(VIP_6, 80, [Backend(REMOTE_POD_6)], proto=17)
    wanted = IPv6(src=CLIENT_6, dst=REMOTE_POD_6, hlim=63) / told(17)
    for _ in range(2):
        out = dsr.run("from_netdev", datagram6())
        same(out.frame, FROM_ROUTER / wanted / UDP(sport=PORT, dport=80) / bytes(1))


def test_hybrid_is_dsr_for_tcp_and_snat_for_udp(make_rig: MakeRig) -> None:
    rig = native(make_rig(direct(NATIVE, 6)))
    rig.service(VIP_6, 80, [Backend(REMOTE_POD_6)])
    rig.service(VIP_6, 80, [Backend(REMOTE_POD_6)], proto=17)
    assert rig.run("from_netdev", request(CLIENT_6, VIP_6)).frame[IPv6].src == CLIENT_6
    assert rig.run("from_netdev", datagram6()).frame[IPv6].src == NODE_6


def test_one_service_may_ask_for_it(make_rig: MakeRig) -> None:
    rig = native(make_rig(NATIVE))
    rig.service(VIP_6, 80, [Backend(REMOTE_POD_6)], flags2=ServiceFlag2.FORWARD_DSR)
    assert bytes(rig.run("from_netdev", request(CLIENT_6, VIP_6)).frame[IPv6])[41:64] == TOLD


def test_tunnel_never_uses_it(make_rig: MakeRig) -> None:
    rig = make_rig(DUAL)
    rig.service(VIP_6, 80, [Backend(REMOTE_POD_6)], flags2=ServiceFlag2.FORWARD_DSR)
    assert not rig.run("from_netdev", request(CLIENT_6, VIP_6)).frame.haslayer(IPv6ExtHdrDestOpt)


def test_it_goes_before_other_headers(dsr: Rig) -> None:
    dsr.service(VIP_6, 80, [Backend(REMOTE_POD_6)])
    tcp = TCP(sport=PORT, dport=80, flags="S")
    out = dsr.run(
        "from_netdev", FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6) / IPv6ExtHdrDestOpt() / tcp
    )
    wanted = IPv6(src=CLIENT_6, dst=REMOTE_POD_6, hlim=63) / told(60) / IPv6ExtHdrDestOpt()
    same(out.frame, FROM_ROUTER / wanted / tcp)


def test_packet_with_a_header_for_every_hop_cannot_take_it(dsr: Rig) -> None:
    """That one has to be the first (RFC 8200, 4.1)."""
    dsr.service(VIP_6, 80, [Backend(REMOTE_POD_6)])
    sent = FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6) / IPv6ExtHdrHopByHop()
    assert dsr.run("from_netdev", sent / TCP(sport=PORT, dport=80)).verdict == SHOT
    assert dsr.dropped() == {Reason.WRITE_ERROR: 1}


def test_every_fragment_carries_it(dsr: Rig) -> None:
    dsr.service(VIP_6, 80, [Backend(REMOTE_POD_6)], proto=17)
    head = FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6)
    udp = UDP(sport=PORT, dport=80, len=24, chksum=1)
    first = head / IPv6ExtHdrFragment(m=1, id=5) / udp / bytes(8)
    later = head / IPv6ExtHdrFragment(m=0, offset=2, id=5, nh=17) / bytes(8)
    for piece in (first, later):
        out = dsr.run("from_netdev", piece)
        assert out.verdict == REDIRECT
        assert bytes(out.frame[IPv6])[40:64] == b"\x2c" + TOLD
        assert out.frame[IPv6].plen == piece.__class__(bytes(piece))[IPv6].plen + 24


def arrive(rig: Rig, header: Any) -> Any:
    """The SYN as the backend's node gets it."""
    sent = FROM_ROUTER / IPv6(src=CLIENT_6, dst=POD_6) / header
    return rig.run("from_netdev", sent / TCP(sport=PORT, dport=8080, flags="S"))


def test_backends_node_answers_with_the_services_address(dsr: Rig) -> None:
    dsr.service(VIP_6, 80, [Backend(POD_6, 8080)])
    assert arrive(dsr, told(6)).verdict == REDIRECT
    value = next(v for key, v in dsr.map(t.CT_TCP6).items() if key.flags == TupleFlag.IN)
    assert value.flags & CtFlag.DSR
    out = dsr.run("from_container", reply(POD_6, CLIENT_6, sport=8080))
    assert out.verdict == REDIRECT
    wanted = IPv6(src=VIP_6, dst=CLIENT_6, hlim=63) / TCP(sport=80, dport=PORT, flags="SA")
    same(out.frame, FROM_POD / wanted)
    assert (out.frame.src, out.frame.dst) == (NODE_MAC, GATEWAY_MAC)


NOBODY = IPv6Address("2001:db8::1").packed
OTHERS = {
    "no service": told(6, TOLD[:3] + NOBODY + TOLD[19:]),
    "another option": IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x1E, optdata=bytes(20))]),
    "another length": IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x1B, optdata=bytes(4))]),
    "a longer header": IPv6ExtHdrDestOpt(bytes([6, 3]) + TOLD[1:] + bytes(8)),
    "a header for every hop": IPv6ExtHdrHopByHop(bytes([6]) + TOLD),
}


@pytest.mark.parametrize("name", OTHERS)
def test_header_that_names_no_service_is_ignored(dsr: Rig, name: str) -> None:
    dsr.service(VIP_6, 80, [Backend(POD_6, 8080)])
    assert arrive(dsr, OTHERS[name]).verdict == REDIRECT
    assert list(dsr.map(t.SNAT6).items()) == []
    out = dsr.run("from_container", reply(POD_6, CLIENT_6, sport=8080))
    assert out.frame[IPv6].src == POD_6


def test_largest_datagram_that_has_room(dsr: Rig) -> None:
    dsr.service(VIP_6, 80, [Backend(REMOTE_POD_6)], proto=17)
    out = dsr.run("from_netdev", datagram6(1500 - 24 - 48))
    assert (out.verdict, len(out.packet)) == (REDIRECT, 14 + 1500)


def test_datagram_too_big_for_the_header_is_answered(dsr: Rig) -> None:
    dsr.service(VIP_6, 80, [Backend(REMOTE_POD_6)], proto=17)
    out = dsr.run("from_netdev", datagram6(1500 - 24 - 48 + 1))
    assert out.verdict == REDIRECT
    assert (out.frame[IPv6].src, out.frame[IPv6].dst) == (NODE_6, CLIENT_6)
    error = out.frame[ICMPv6PacketTooBig]
    assert (error.code, error.mtu, error[IPerror6].dst) == (0, 1476, VIP_6)
    assert (error[IPerror6].src, bytes(error)[48:52]) == (
        CLIENT_6,
        bytes(UDP(sport=PORT, dport=80))[:4],
    )
    fresh = out.frame[IPv6].copy()
    del fresh[ICMPv6PacketTooBig].cksum
    assert bytes(fresh) == bytes(out.frame[IPv6])
    assert dsr.dropped() == {Reason.FRAG_NEEDED: 1}


def test_first_fragment_too_big_for_the_header_is_answered_and_later_ones_are_not(dsr: Rig) -> None:
    """Its sender finds the socket by the ports, which are behind the fragment header."""
    dsr.service(VIP_6, 80, [Backend(REMOTE_POD_6)], proto=17)
    ip = IPv6(src=CLIENT_6, dst=VIP_6)
    first = (
        ip / IPv6ExtHdrFragment(nh=17, id=7, m=1) / UDP(sport=PORT, dport=80, len=3000, chksum=1)
    )
    later = ip / IPv6ExtHdrFragment(nh=17, id=7, offset=180)
    out = dsr.run("from_netdev", FROM_ROUTER / first / bytes(1432))
    assert (out.verdict, out.frame[IPv6].src, out.frame[IPv6].dst) == (REDIRECT, NODE_6, CLIENT_6)
    assert out.frame[ICMPv6PacketTooBig].mtu == 1476
    quoted = bytes(first / bytes(1432))[:56]
    assert bytes(out.frame[IPv6])[48:] == quoted
    assert out.frame[IPv6].plen == 8 + len(quoted)
    fresh = out.frame[IPv6].copy()
    del fresh[ICMPv6PacketTooBig].cksum
    assert bytes(fresh) == bytes(out.frame[IPv6])
    assert dsr.run("from_netdev", FROM_ROUTER / later / bytes(1440)).verdict == SHOT
    assert dsr.dropped() == {Reason.FRAG_NEEDED: 2}


def test_xdp_does_the_same(make_rig: MakeRig) -> None:
    rig = native(make_rig(DSR))
    rig.service(VIP_6, 80, [Backend(REMOTE_POD_6)])
    out = rig.run("xdp_entry", request(CLIENT_6, VIP_6))
    same(Ether(out.packet), rig.run("from_netdev", request(CLIENT_6, VIP_6)).frame)
    assert bytes(out.frame[IPv6])[41:64] == TOLD
    later = rig.run("xdp_entry", request(CLIENT_6, VIP_6, flags="A"))
    same(Ether(later.packet), rig.run("from_netdev", request(CLIENT_6, VIP_6, flags="A")).frame)
