"""What garbage collection takes for garbage."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from lab.bpf.codes import TupleFlag
from lab.bpf.gc import expired, orphans
from lab.bpf.structs import ct_entry, ipv4_ct_tuple, ipv4_nat_entry

CLIENT, POD, ROUTER, VIP = (
    int(IPv4Address(text)) for text in ("192.168.10.11", "10.0.2.5", "10.0.1.1", "172.16.10.0")
)


def connection(flags: int = TupleFlag.OUT) -> bytes:
    return bytes(
        ipv4_ct_tuple(daddr=CLIENT, saddr=POD, sport=36946, dport=80, nexthdr=6, flags=flags)
    )


def translation(value: tuple[int, int], flags: int, **key: Any) -> tuple[bytes, bytes]:
    to_addr, to_port = value
    return (
        bytes(ipv4_ct_tuple(nexthdr=6, flags=flags, **key)),
        bytes(ipv4_nat_entry(to_addr=to_addr, to_port=to_port)),
    )


THERE = translation((ROUTER, 40000), TupleFlag.OUT, saddr=CLIENT, daddr=POD, sport=36946, dport=80)
BACK = translation((CLIENT, 36946), TupleFlag.IN, saddr=POD, daddr=ROUTER, sport=80, dport=40000)
DIRECT = translation((VIP, 80), TupleFlag.OUT, saddr=POD, daddr=CLIENT, sport=80, dport=36946)


def test_connection_is_over_after_its_lifetime() -> None:
    entries = [(b"a", bytes(ct_entry(lifetime=99))), (b"b", bytes(ct_entry(lifetime=100)))]
    assert expired(entries, 100) == {b"a"}


def test_translations_of_a_living_connection_stay() -> None:
    assert orphans([THERE, BACK], {connection()}, 4) == set()


def test_translations_go_with_their_connection() -> None:
    assert orphans([THERE, BACK], set(), 4) == {THERE[0], BACK[0]}


def test_direct_return_belongs_to_the_connection_that_came_in() -> None:
    assert orphans([DIRECT], {connection(TupleFlag.IN)}, 4) == set()
    assert orphans([DIRECT], {connection(TupleFlag.SERVICE)}, 4) == {DIRECT[0]}


def test_direct_return_of_the_node_itself_belongs_to_a_connection_of_the_node() -> None:
    assert orphans([DIRECT], {connection(TupleFlag.OUT)}, 4) == set()
