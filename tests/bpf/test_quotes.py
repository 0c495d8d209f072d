"""ICMP errors by what they quote: all of a packet, one with options, a part of a datagram."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Ether

from lab.bpf import tables as t
from lab.bpf.codes import TupleFlag

from . import errors
from .errors import NO_PORT
from .family import BOTH, Family
from .node import (
    CLIENT,
    CLIENT_6,
    DUAL,
    GATEWAY,
    GATEWAY_6,
    NODE,
    POD,
    POD_6,
    REMOTE_POD,
    REMOTE_POD_6,
    ROUTER,
    ROUTER_6,
    VIP,
    VIP_6,
)
from .noise import ones_complement
from .packets import FROM_POD, FROM_ROUTER, PORT, arriving, datagram, ip, network, request, same
from .rig import OK, REDIRECT, SHOT, Backend, Rig

WHOLE = 500
"""Bytes behind a header: more than the packets have here."""
SEGMENT = TCP(sport=PORT, dport=80, flags="PA", seq=7, ack=9) / bytes(range(100))


def error(about: Any, src: str, dst: str, *, length: int = 576, code: int = 4) -> Any:
    """A "destination unreachable" that quotes up to `length` bytes."""
    quote = bytes(about.getlayer(IP))[:length]
    outer: Any = IP(src=src, dst=dst)
    return outer / ICMP(type=3, code=code, nexthopmtu=1400) / quote


def quote_of(out: Any) -> bytes:
    """What an error quotes, once its own checksums are seen to be right."""
    packet = network(out.frame)
    if IPv6 in out.frame:
        pseudo = packet[8:40] + (len(packet) - 40).to_bytes(4, "big") + bytes([0, 0, 0, 58])
        assert ones_complement(pseudo, packet[40:]) == 0, "ICMPv6 checksum"
        return packet[48:]
    assert ones_complement(packet[:20]) == 0, "outer header's checksum"
    assert ones_complement(packet[20:]) == 0, "ICMP checksum"
    return packet[28:]


def ended(quote: bytes) -> bytes:
    """A quote but for what changes on the way to its end: hops, and the checksum over them."""
    return quote[8:] if quote[0] >> 4 == 6 else quote[12:]


@pytest.mark.parametrize("length", [28, 40, 44, 576])
@pytest.mark.parametrize("options", [b"", b"\x01" * 4, b"\x01" * 40], ids=["0", "4", "40"])
def test_quote_is_what_the_client_sent(rig: Rig, options: bytes, length: int) -> None:
    """Checksums included, as far as they are quoted: the client's stack compares them."""
    rig.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    sent: Any = FROM_ROUTER / IP(src=CLIENT, dst=VIP, options=options) / SEGMENT
    forwarded = rig.run("from_netdev", sent).frame
    length += len(options)
    told = FROM_ROUTER / error(forwarded, GATEWAY, ROUTER, length=length)
    out = rig.run("from_netdev", told)
    assert (out.verdict, out.frame[IP].dst) == (REDIRECT, CLIENT)
    assert quote_of(out) == bytes(Ether(bytes(sent))[IP])[:length]


def test_what_is_behind_an_error_is_no_part_of_its_quote(rig: Rig) -> None:
    """Ethernet's padding stands where a longer quote would have the segment's checksum."""
    rig.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    forwarded = rig.run("from_netdev", FROM_ROUTER / IP(src=CLIENT, dst=VIP) / SEGMENT).frame
    told = bytes(FROM_ROUTER / error(forwarded, GATEWAY, ROUTER, length=28))
    padding = bytes(range(1, 31))
    out = rig.run("from_netdev", told + padding)
    assert (out.verdict, out.frame[IP].dst) == (REDIRECT, CLIENT)
    assert ones_complement(out.packet[34 : len(told)]) == 0, "ICMP checksum"
    assert out.packet[len(told) :] == padding


@pytest.mark.parametrize("kind", [3, 11, 12])
def test_quoted_datagram_without_a_checksum_stays_without(rig: Rig, kind: int) -> None:
    """Whatever the error: unreachable, time exceeded, or a parameter's (RFC 792)."""
    rig.service(VIP, 53, [Backend(REMOTE_POD, 5353)], proto=17)
    sent: Any = datagram(CLIENT, VIP)
    sent[UDP].chksum = 0
    forwarded: Any = rig.run("from_netdev", sent).frame
    told = FROM_ROUTER / IP(src=GATEWAY, dst=ROUTER) / ICMP(type=kind) / bytes(forwarded[IP])
    out = rig.run("from_netdev", told)
    assert (out.verdict, out.frame[IP].dst) == (REDIRECT, CLIENT)
    assert quote_of(out) == bytes(Ether(bytes(sent))[IP])


def test_reversed_quote_is_what_the_backend_sent(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 8080)])
    rig.run("from_netdev", request())
    back = TCP(sport=8080, dport=PORT, flags="PA") / bytes(100)
    sent: Any = FROM_POD / IP(src=POD, dst=CLIENT, options=b"\x01" * 8) / back
    left = rig.run("from_container", sent).frame
    out = rig.run("from_netdev", FROM_ROUTER / error(left, GATEWAY, VIP))
    got, wanted = quote_of(out), bytes(Ether(bytes(sent))[IP])
    assert (got[8], wanted[8]) == (63, 64), "a hop less"
    assert got[12:] == wanted[12:]


def test_quoted_later_fragment_has_no_ports(rig: Rig) -> None:
    """What it begins with is the datagram's data, whatever that looks like."""
    rig.service(VIP, 53, [Backend(REMOTE_POD, 5353)], proto=17)
    rig.run("from_netdev", datagram(CLIENT, VIP))
    like = bytes(UDP(sport=PORT, dport=5353) / b"")
    later = FROM_POD / IP(src=ROUTER, dst=REMOTE_POD, frag=64, proto=17) / like
    sent = FROM_ROUTER / error(later, GATEWAY, ROUTER)
    out = rig.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))


def test_quoted_first_fragment_is_translated(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD, 5353)], proto=17)
    head = IP(src=CLIENT, dst=VIP, flags="MF", id=7)
    sent: Any = FROM_ROUTER / head / UDP(sport=PORT, dport=53, len=200, chksum=0x1234) / bytes(64)
    forwarded = rig.run("from_netdev", sent).frame
    out = rig.run("from_netdev", FROM_ROUTER / error(forwarded, GATEWAY, ROUTER))
    assert quote_of(out) == bytes(Ether(bytes(sent))[IP])


@pytest.mark.parametrize(
    "headers",
    [
        IPv6ExtHdrFragment(m=1, id=5),
        IPv6ExtHdrDestOpt(),
        IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(m=0, id=5),
    ],
    ids=["fragment", "options", "three"],
)
def test_quote_with_extension_headers(make_rig: Callable[..., Rig], headers: Any) -> None:
    rig = make_rig(DUAL)
    rig.service(VIP_6, 80, [Backend(REMOTE_POD_6, 8080)])
    sent: Any = FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6) / headers / SEGMENT
    forwarded = rig.run("from_netdev", sent).frame
    told = FROM_ROUTER / IPv6(src=GATEWAY_6, dst=ROUTER_6) / ICMPv6PacketTooBig(mtu=1400)
    out = rig.run("from_netdev", told / bytes(forwarded[IPv6]))
    assert (out.verdict, out.frame[IPv6].dst) == (REDIRECT, CLIENT_6)
    assert quote_of(out) == bytes(Ether(bytes(sent))[IPv6])


def test_quoted_later_fragment_of_ipv6_has_no_ports(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(DUAL)
    rig.service(VIP_6, 80, [Backend(REMOTE_POD_6, 8080)])
    rig.run("from_netdev", FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6) / SEGMENT)
    like = bytes(TCP(sport=PORT, dport=8080))
    head: Any = IPv6(src=ROUTER_6, dst=REMOTE_POD_6)
    later = head / IPv6ExtHdrFragment(offset=64, id=5, nh=6) / like
    told = FROM_ROUTER / IPv6(src=GATEWAY_6, dst=ROUTER_6) / ICMPv6PacketTooBig(mtu=1400)
    sent = told / bytes(later)
    out = rig.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))


def test_error_about_a_port_alone(rig: Rig) -> None:
    """A NodePort whose backend is on the node's own address: only the port is another."""
    rig.service(NODE, 30080, [Backend(NODE, 8080)])
    sent = request(dst=NODE, dport=30080)
    assert rig.run("from_netdev", sent).frame[TCP].dport == 8080
    back: Any = FROM_POD / IP(src=NODE, dst=CLIENT) / TCP(sport=8080, dport=PORT, flags="SA")
    left = rig.run("to_netdev", back).frame
    assert left[TCP].sport == 30080
    out = rig.run("from_netdev", FROM_ROUTER / error(left, GATEWAY, NODE))
    assert out.verdict == OK
    assert quote_of(out) == bytes(Ether(bytes(back))[IP])


@BOTH
def test_error_of_a_backend_in_the_nodes_namespace_comes_from_the_vip(
    dual: Rig, family: Family
) -> None:
    dual.service(family.vip, 53, [Backend(family.node, 5353)], proto=17)
    sent = datagram(family.client, family.vip)
    met = dual.run("from_netdev", sent).frame
    assert met[1].dst == family.node
    out = dual.run("to_netdev", FROM_POD / errors.error(met, family.node, NO_PORT, WHOLE))
    assert (out.verdict, out.ends) == (OK, (family.vip, family.client))
    assert quote_of(out) == network(Ether(bytes(sent)))


@BOTH
def test_pods_error_about_a_visitor_keeps_its_address(dual: Rig, family: Family) -> None:
    """Who came to the pod by its own address knows no other."""
    met = dual.run("from_netdev", datagram(family.client, family.pod)).frame
    sent = FROM_POD / errors.error(met, family.pod, NO_PORT, WHOLE)
    for program in ("from_container", "to_netdev"):
        out = dual.run(program, sent)
        assert out.verdict == OK
        same(out.frame, Ether(bytes(sent)))


@BOTH
def test_pods_error_about_nothing_known_does_not_leave(dual: Rig, family: Family) -> None:
    sent = FROM_POD / errors.error(datagram(family.client, family.pod), family.pod, NO_PORT, WHOLE)
    assert dual.run("to_netdev", sent).verdict == SHOT


@BOTH
def test_pods_error_about_a_late_answer_borrows_the_nodes_address_last(
    dual: Rig, family: Family
) -> None:
    """The stack lets no packet with an address of its own in: the uplink lends it."""
    asked = FROM_POD / ip(family.pod, family.client) / UDP(sport=PORT, dport=53) / b"q"
    dual.run("from_container", asked)
    assert dual.run("to_netdev", asked).ends[0] == family.node
    late = datagram(family.client, family.node, sport=53, dport=PORT, data=b"answer")
    met = dual.run("from_netdev", late).frame
    sent = FROM_POD / errors.error(met, family.pod, NO_PORT, WHOLE)
    passed = dual.run("from_container", sent)
    assert passed.verdict == OK
    same(passed.frame, Ether(bytes(sent)))
    out = dual.run("to_netdev", sent)
    assert (out.verdict, out.ends) == (OK, (family.node, family.client))
    assert ended(quote_of(out)) == ended(network(Ether(bytes(late))))


def test_quoted_udp_checksum_never_becomes_none(rig: Rig) -> None:
    """A sum of zero is written as all ones: zero says that there is none (RFC 768)."""
    rig.service(VIP, 53, [Backend(REMOTE_POD, 5353)], proto=17)
    data = bytearray(b"\0\0")
    sent: Any = datagram(CLIENT, VIP, data=bytes(data))
    check = int.from_bytes(bytes(sent)[40:42], "big")
    sent = datagram(CLIENT, VIP, data=check.to_bytes(2, "big"))
    assert bytes(sent)[40:42] == b"\xff\xff"
    forwarded = rig.run("from_netdev", sent).frame
    out = rig.run("from_netdev", arriving(Ether() / error(forwarded, GATEWAY, ROUTER)))
    assert quote_of(out) == bytes(Ether(bytes(sent))[IP])


def test_pods_error_about_its_own_question_comes_back_to_it(make_rig: Callable[..., Rig]) -> None:
    """Through its service a pod asked itself, where nobody listens: both addresses are turned."""
    rig = make_rig(DUAL)
    rig.service("10.96.0.10", 53, [Backend(POD, 5353)], proto=17, flags=0)
    rig.service("fd00:96::10", 53, [Backend(POD_6, 5353)], proto=17, flags=0)
    question = UDP(sport=PORT, dport=53) / b"q"
    asked: Any = FROM_POD / IP(src=POD, dst="10.96.0.10") / question
    met = rig.run("from_container", asked).frame
    out = rig.run("from_container", FROM_POD / error(met, POD, met[IP].src, code=3))
    assert (out.verdict, out.frame[IP].src, out.frame[IP].dst) == (REDIRECT, "10.96.0.10", POD)
    got, wanted = quote_of(out), bytes(Ether(bytes(asked))[IP])
    assert got[12:] == wanted[12:]
    asked = FROM_POD / IPv6(src=POD_6, dst="fd00:96::10") / question
    met = rig.run("from_container", asked).frame
    told = FROM_POD / IPv6(src=POD_6, dst=met[IPv6].src) / ICMPv6DestUnreach(code=4)
    out = rig.run("from_container", told / bytes(met[IPv6]))
    assert (out.verdict, out.frame[IPv6].src, out.frame[IPv6].dst) == (
        REDIRECT,
        "fd00:96::10",
        POD_6,
    )
    assert quote_of(out)[8:] == bytes(Ether(bytes(asked))[IPv6])[8:]


@BOTH
def test_pods_error_about_its_own_answer_comes_back_to_it(dual: Rig, family: Family) -> None:
    """It asked itself through its service, and no longer waits for the answer."""
    dual.service(family.cluster_ip, 53, [Backend(family.pod, 5353)], proto=17, flags=0)
    asked = FROM_POD / ip(family.pod, family.cluster_ip) / UDP(sport=PORT, dport=53) / b"q"
    other = dual.run("from_container", asked).ends[0]
    answer: Any = FROM_POD / ip(family.pod, other) / UDP(sport=5353, dport=PORT) / b"a"
    met = dual.run("from_container", answer).frame
    out = dual.run("from_container", FROM_POD / errors.error(met, family.pod, NO_PORT, WHOLE))
    assert (out.verdict, out.ends) == (REDIRECT, (other, family.pod))
    assert ended(quote_of(out)) == ended(network(Ether(bytes(answer))))


def test_error_of_the_node_about_a_pods_question_comes_from_the_service(rig: Rig) -> None:
    """Nobody listens in the node's namespace, or a link from there is too small."""
    for backend in (NODE, REMOTE_POD):
        rig.service("10.96.0.10", 53, [Backend(backend, 5353)], proto=17, flags=0)
        asked: Any = FROM_POD / IP(src=POD, dst="10.96.0.10") / UDP(sport=PORT, dport=53) / b"q"
        met = rig.run("from_container", asked).frame
        assert met[IP].dst == backend
        rig.map(t.CT_ANY).delete(
            next(key for key, _ in rig.map(t.CT_ANY).items() if key.flags == TupleFlag.SERVICE)
        )
        out = rig.run("to_container", FROM_POD / error(met, NODE, POD, code=3))
        source = "10.96.0.10" if backend == NODE else NODE
        assert (out.verdict, out.frame[IP].src, out.frame[IP].dst) == (OK, source, POD)
        assert quote_of(out) == bytes(Ether(bytes(asked))[IP])


@BOTH
def test_pods_error_with_the_nodes_address_does_not_meet_the_nodes_stack(
    dual: Rig, family: Family
) -> None:
    """To the stack a packet that comes in with an address of its own is a forgery."""
    dual.service(family.node, 30053, [Backend(family.pod, 53)], proto=17)
    sent = datagram(family.client, family.node, dport=30053)
    met = dual.run("from_netdev", sent).frame
    out = dual.run("from_container", FROM_POD / errors.error(met, family.pod, NO_PORT, WHOLE))
    assert (out.verdict, out.ends) == (REDIRECT, (family.node, family.client))
    assert ended(quote_of(out)) == ended(network(Ether(bytes(sent))))
    assert dual.run("to_netdev", out.packet).packet == out.packet
