"""What only IPv6 has: chains of headers, and messages that never leave a link."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6Unknown, IPv6, IPv6ExtHdrDestOpt

from lab.bpf.codes import Reason

from .node import CLIENT, CLIENT_6, POD, POD2_6, POD_6, REMOTE_POD_6, ROUTER_6, VIP_6
from .packets import FROM_POD, FROM_ROUTER, PORT
from .rig import OK, REDIRECT, SHOT, Backend, Rig

SEGMENT = TCP(sport=PORT, dport=80)
NEIGHBOUR_TYPES = (133, 134, 135, 136, 137, 141, 142, 148, 149)
"""They have a hop limit of 255, which no router leaves as it is (RFC 4861, 3122, 3971)."""
GROUP_TYPES = (130, 131, 132, 143, 151, 152, 153)
"""They have a hop limit of 1 (RFC 2710, 3810, 4286)."""


def message(kind: int, src: str, dst: str, hops: int) -> Any:
    """From a pod. Scapy would give a message of a known type another hop limit."""
    return FROM_POD / IPv6(src=src, dst=dst, hlim=hops) / ICMPv6Unknown(type=kind, msgbody=bytes(8))


def test_what_a_router_may_pass_on_is_no_neighbours(dual: Rig) -> None:
    """It goes neither with another's address nor with a pod's own out of the node."""
    kinds = (*NEIGHBOUR_TYPES, *GROUP_TYPES, 139, 144, 200)
    for kind in kinds:
        assert dual.run("from_container", message(kind, CLIENT_6, CLIENT_6, 64)).verdict == SHOT
        assert dual.run("to_netdev", message(kind, POD_6, CLIENT_6, 64)).verdict == SHOT
    number = len(kinds)
    assert dual.dropped() == {Reason.INVALID_SIP: number, Reason.NAT_UNSUPPORTED_PROTO: number}


@pytest.mark.parametrize(("kinds", "hops"), [(NEIGHBOUR_TYPES, 255), (GROUP_TYPES, 1)])
def test_a_pod_talks_to_its_link_in_its_own_name(
    dual: Rig, kinds: Sequence[int], hops: int
) -> None:
    for kind, own in product(kinds, ("::", "fe80::5", "febf::5", POD_6)):
        sent = message(kind, own, "ff02::2", hops)
        out = dual.run("from_container", sent)
        assert (out.verdict, out.packet) == (OK, bytes(sent))
    foreign = (CLIENT_6, REMOTE_POD_6, ROUTER_6, "fec0::5")
    for kind, other in product(kinds, foreign):
        assert dual.run("from_container", message(kind, other, "ff02::2", hops)).verdict == SHOT
    assert dual.dropped() == {Reason.INVALID_SIP: len(kinds) * len(foreign)}


def test_a_pod_has_no_neighbours_outside(dual: Rig) -> None:
    """What had two hops has one left at the uplink."""
    for kind in GROUP_TYPES:
        assert dual.run("to_netdev", message(kind, POD_6, CLIENT_6, 1)).verdict == SHOT
    assert dual.dropped() == {Reason.NAT_UNSUPPORTED_PROTO: len(GROUP_TYPES)}


def test_a_message_from_afar_is_the_pods(dual: Rig) -> None:
    """It would go round and round between the node's own devices until its hops are used up."""
    sent = FROM_ROUTER / message(135, CLIENT_6, POD_6, 64).payload
    assert dual.run("from_netdev", sent).verdict == REDIRECT
    assert dual.run("from_host", sent).verdict == REDIRECT


def test_solicitation_from_afar_is_not_answered(dual: Rig) -> None:
    sent = FROM_POD / IPv6(src=POD_6, dst="ff02::1:ff00:1", hlim=254) / ICMPv6ND_NS(tgt=ROUTER_6)
    assert dual.run("from_container", sent).frame[IPv6].src == POD_6


@pytest.mark.parametrize(
    "head",
    [IP(src=POD, dst=CLIENT, proto=58), IPv6(src=POD_6, dst=CLIENT_6, nh=1, hlim=255)],
    ids=["IPv4", "IPv6"],
)
def test_icmp_of_the_other_family_is_none(dual: Rig, head: Any) -> None:
    """Neither an echo with an identifier, nor an error, nor a neighbour's message."""
    for kind in (0, 1, 3, 8, 128, 129, 135):
        sent = FROM_POD / head / (bytes([kind]) + bytes(15))
        assert dual.run("from_container", sent).verdict == SHOT
    assert dual.dropped() == {Reason.CT_UNKNOWN_PROTO: 7}


@pytest.mark.parametrize(("headers", "verdict"), [(4, REDIRECT), (5, SHOT)])
def test_a_chain_is_followed_so_far(dual: Rig, headers: int, verdict: int) -> None:
    """More is a probe or an attack: what is behind would pass as having no ports."""
    sent: Any = FROM_POD / IPv6(src=POD_6, dst=POD2_6)
    for _ in range(headers):
        sent /= IPv6ExtHdrDestOpt()
    assert dual.run("from_container", sent / SEGMENT).verdict == verdict
    assert dual.dropped() == ({Reason.INVALID_EXTHDR: 1} if verdict == SHOT else {})


@pytest.mark.parametrize(("words", "verdict"), [(245, REDIRECT), (247, SHOT), (255, SHOT)])
def test_ports_are_those_behind_a_long_header(dual: Rig, words: int, verdict: int) -> None:
    """Or there are none: nothing else becomes ports, or is changed, in their place."""
    dual.service(VIP_6, 80, [Backend(POD_6, 8080)])
    header = bytes([6, words, 1, 252, *bytes(4)]) + bytes(words * 8)
    sent = FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6, nh=60) / header / SEGMENT
    out = dual.run("from_netdev", sent)
    assert out.verdict == verdict
    if verdict == SHOT:
        assert dual.dropped() == {Reason.INVALID_EXTHDR: 1}
    else:
        assert out.packet[-20:-16] == bytes(TCP(sport=PORT, dport=8080))[:4]
