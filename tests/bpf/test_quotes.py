"""ICMP errors by what they quote: all of a packet, one with options, a part of a datagram."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Ether

from .node import (
    CLIENT,
    CLIENT_6,
    DUAL,
    GATEWAY,
    GATEWAY_6,
    NODE,
    POD,
    REMOTE_POD,
    REMOTE_POD_6,
    ROUTER,
    ROUTER_6,
    VIP,
    VIP_6,
)
from .noise import ones_complement
from .packets import FROM_POD, FROM_ROUTER, PORT, arriving, datagram, request
from .quotes import quote_of, unreachable
from .rig import OK, REDIRECT, Backend, Rig

SEGMENT = TCP(sport=PORT, dport=80, flags="PA", seq=7, ack=9) / bytes(range(100))


@pytest.mark.parametrize("length", [28, 40, 44, 576])
@pytest.mark.parametrize("options", [b"", b"\x01" * 4, b"\x01" * 40], ids=["0", "4", "40"])
def test_quote_is_what_the_client_sent(rig: Rig, options: bytes, length: int) -> None:
    """Checksums included, as far as they are quoted: the client's stack compares them."""
    rig.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    sent: Any = FROM_ROUTER / IP(src=CLIENT, dst=VIP, options=options) / SEGMENT
    forwarded = rig.run("from_netdev", sent).frame
    length += len(options)
    told = FROM_ROUTER / unreachable(forwarded, GATEWAY, ROUTER, length=length)
    out = rig.run("from_netdev", told)
    assert (out.verdict, out.frame[IP].dst) == (REDIRECT, CLIENT)
    assert quote_of(out) == bytes(Ether(bytes(sent))[IP])[:length]


def test_what_is_behind_an_error_is_no_part_of_its_quote(rig: Rig) -> None:
    """Ethernet's padding stands where a longer quote would have the segment's checksum."""
    rig.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    forwarded = rig.run("from_netdev", FROM_ROUTER / IP(src=CLIENT, dst=VIP) / SEGMENT).frame
    told = bytes(FROM_ROUTER / unreachable(forwarded, GATEWAY, ROUTER, length=28))
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
    out = rig.run("from_netdev", FROM_ROUTER / unreachable(left, GATEWAY, VIP))
    got, wanted = quote_of(out), bytes(Ether(bytes(sent))[IP])
    assert (got[8], wanted[8]) == (63, 64), "a hop less"
    assert got[12:] == wanted[12:]


def test_quoted_later_fragment_has_no_ports(rig: Rig) -> None:
    """What it begins with is the datagram's data, whatever that looks like."""
    rig.service(VIP, 53, [Backend(REMOTE_POD, 5353)], proto=17)
    rig.run("from_netdev", datagram(CLIENT, VIP))
    like = bytes(UDP(sport=PORT, dport=5353) / b"")
    later = FROM_POD / IP(src=ROUTER, dst=REMOTE_POD, frag=64, proto=17) / like
    sent = FROM_ROUTER / unreachable(later, GATEWAY, ROUTER)
    out = rig.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))


def test_quoted_first_fragment_is_translated(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD, 5353)], proto=17)
    head = IP(src=CLIENT, dst=VIP, flags="MF", id=7)
    sent: Any = FROM_ROUTER / head / UDP(sport=PORT, dport=53, len=200, chksum=0x1234) / bytes(64)
    forwarded = rig.run("from_netdev", sent).frame
    out = rig.run("from_netdev", FROM_ROUTER / unreachable(forwarded, GATEWAY, ROUTER))
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
    out = rig.run("from_netdev", FROM_ROUTER / unreachable(left, GATEWAY, NODE))
    assert out.verdict == OK
    assert quote_of(out) == bytes(Ether(bytes(back))[IP])


def test_quoted_udp_checksum_never_becomes_none(rig: Rig) -> None:
    """A sum of zero is written as all ones: zero says that there is none (RFC 768)."""
    rig.service(VIP, 53, [Backend(REMOTE_POD, 5353)], proto=17)
    data = bytearray(b"\0\0")
    sent: Any = datagram(CLIENT, VIP, data=bytes(data))
    check = int.from_bytes(bytes(sent)[40:42], "big")
    sent = datagram(CLIENT, VIP, data=check.to_bytes(2, "big"))
    assert bytes(sent)[40:42] == b"\xff\xff"
    forwarded = rig.run("from_netdev", sent).frame
    out = rig.run("from_netdev", arriving(Ether() / unreachable(forwarded, GATEWAY, ROUTER)))
    assert quote_of(out) == bytes(Ether(bytes(sent))[IP])
