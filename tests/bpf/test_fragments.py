"""Fragments of datagrams: those without ports follow the first."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment

from lab.bpf.codes import Reason

from .family import BOTH, IPV4, Family
from .packets import FROM_ROUTER, PORT, ip
from .rig import REDIRECT, SHOT, Backend, Rig


def udp_bytes(src: str, dst: str, dport: int, data: bytes) -> bytes:
    """A UDP header with its checksum, and data."""
    header = ip(src, dst)
    return bytes(header / UDP(sport=PORT, dport=dport) / data)[len(header) :]


def piece(family: Family, number: int, at: int, more: bool) -> Any:
    """The headers of the fragment at this byte of a datagram from the client to the service."""
    if family is IPV4:
        return IP(
            src=family.client, dst=family.vip, id=number, proto=17, frag=at // 8, flags=int(more)
        )
    header = IPv6(src=family.client, dst=family.vip)
    return header / IPv6ExtHdrFragment(nh=17, id=number, offset=at // 8, m=int(more))


def fragments(family: Family, data: bytes, number: int = 77) -> list[Any]:
    """A UDP datagram to port 53 in pieces of 64 bytes."""
    whole = udp_bytes(family.client, family.vip, 53, data)
    return [
        FROM_ROUTER / piece(family, number, at, at + 64 < len(whole)) / whole[at : at + 64]
        for at in range(0, len(whole), 64)
    ]


@BOTH
def test_fragments_follow_the_first_and_fit_together(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 53, [Backend(family.remote_pod, 5353)], proto=17)
    data = bytes(range(200))
    sent = [dual.run("from_netdev", each) for each in fragments(family, data)]
    assert [out.verdict for out in sent] == [REDIRECT] * 4
    assert {out.ends for out in sent} == {(family.router, family.remote_pod)}
    header = 14 + len(piece(family, 0, 0, False))
    joined = b"".join(out.packet[header:] for out in sent)
    assert joined == udp_bytes(family.router, family.remote_pod, 5353, data)


@BOTH
def test_fragment_before_the_first_is_a_drop(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 53, [Backend(family.remote_pod)], proto=17)
    assert dual.run("from_netdev", fragments(family, bytes(200))[1]).verdict == SHOT
    assert dual.dropped() == {Reason.FRAG_NOT_FOUND: 1}


def others(family: Family) -> dict[str, tuple[str, str, int, int]]:
    """Source, destination, protocol and number, each time one of them another."""
    client, vip = family.client, family.vip
    return {
        "number": (client, vip, 17, 78),
        "source": (family.near(client, 1), vip, 17, 77),
        "destination": (client, family.near(vip, 1), 17, 77),
        "protocol": (client, vip, 6, 77),
    }


def later(src: str, dst: str, proto: int, number: int) -> Any:
    """The second fragment of a datagram."""
    if ":" not in dst:
        return FROM_ROUTER / IP(src=src, dst=dst, proto=proto, id=number, frag=8) / bytes(64)
    part = IPv6ExtHdrFragment(nh=proto, id=number, offset=8)
    return FROM_ROUTER / IPv6(src=src, dst=dst) / part / bytes(64)


@BOTH
@pytest.mark.parametrize("differs", others(IPV4))
def test_fragments_of_two_datagrams_do_not_mix(dual: Rig, family: Family, differs: str) -> None:
    """A number is one of its ends' and protocol's alone (RFC 791, RFC 8200)."""
    for vip, proto in product((family.vip, family.near(family.vip, 1)), (6, 17)):
        dual.service(vip, 53, [Backend(family.remote_pod)], proto=proto)
    dual.run("from_netdev", fragments(family, bytes(200))[0])
    same = later(family.client, family.vip, 17, 77)
    assert dual.run("from_netdev", same).verdict == REDIRECT
    assert dual.run("from_netdev", later(*others(family)[differs])).verdict == SHOT
    assert dual.dropped() == {Reason.FRAG_NOT_FOUND: 1}


@BOTH
def test_first_fragment_without_ports_lets_no_others_through(dual: Rig, family: Family) -> None:
    """What is too small to be judged must not be put together behind the datapath (RFC 1858)."""
    dual.service(family.vip, 53, [Backend(family.remote_pod)], proto=17)
    tiny = FROM_ROUTER / piece(family, 77, 0, True) / bytes(4)
    assert dual.run("from_netdev", tiny).verdict == SHOT
    assert dual.run("from_netdev", later(family.client, family.vip, 17, 77)).verdict == SHOT
    assert dual.dropped() == {Reason.CT_INVALID_HEADER: 1, Reason.FRAG_NOT_FOUND: 1}
