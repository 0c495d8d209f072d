"""Garbage collection beside traffic: what begins anew meanwhile is no garbage."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6

from lab.bpf import gc
from lab.bpf import tables as t
from lab.bpf.config import NodeConfig
from lab.bpf.ledger import Entry, Ledger
from lab.bpf.structs import ct_entry

from .dsr import telling
from .family import BOTH, IPV4, Family
from .node import (
    CLIENT,
    CLIENT_6,
    CONFIG,
    DUAL,
    NODE,
    NODE_6,
    POD,
    POD_6,
    REMOTE_POD,
    REMOTE_POD_6,
    ROUTER,
    ROUTER_6,
    VIP,
    VIP_6,
    direct,
)
from .packets import FROM_POD, FROM_ROUTER, PORT, request
from .rig import REDIRECT, Backend, Rig

PORTS = range(40000, 40010)
CONNECTIONS = (t.CT_TCP, t.CT_ANY, t.CT_TCP6, t.CT_ANY6)
DSR = direct(DUAL)


def sweep(rig: Rig, place: Path) -> gc.Collected:
    """A pass over the tables of both families."""
    lock = os.open(place, os.O_RDONLY)
    try:
        books = Ledger(rig.map(t.FLOWS_ENTERED), rig.map(t.FLOWS_LEDGER), lock)
        passes = [
            gc.sweep(books, [rig.map(tcp), rig.map(other)], rig.map(nat), width)
            for tcp, other, nat, width in gc.FAMILIES
        ]
    finally:
        os.close(lock)
    return gc.Collected(
        sum(each.connections for each in passes),
        sum(each.translations for each in passes),
        {name: fill for each in passes for name, fill in each.tables.items()},
    )


def end_all(rig: Rig) -> None:
    """Every connection's time is over."""
    for connections in map(rig.map, CONNECTIONS):
        for key, entry in list(connections.items()):
            ended = ct_entry.parse(bytes(entry))
            ended.lifetime = 1
            connections.update(key, ended)


def begin(rig: Rig, family: Family, ports: Iterable[int]) -> None:
    for port in ports:
        sent = request(family.client, family.vip, sport=port)
        assert rig.run("from_netdev", sent).verdict == REDIRECT


def counts(rig: Rig, family: Family) -> tuple[int, int]:
    return len(list(rig.map(family.ct_tcp).items())), len(list(rig.map(family.snat).items()))


@BOTH
def test_what_ended_goes_with_its_translations(dual: Rig, family: Family, tmp_path: Path) -> None:
    dual.service(family.vip, 80, [Backend(family.remote_pod)])
    begin(dual, family, PORTS)
    assert counts(dual, family) == (20, 20)
    end_all(dual)
    collected = sweep(dual, tmp_path)
    assert (collected.connections, collected.translations) == (20, 20)
    assert counts(dual, family) == (0, 0)


def test_a_pass_tells_how_full_it_leaves_each_table(
    make_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    sizes = {t.CT_TCP.name: 4096, t.CT_ANY.name: 2048, t.SNAT.name: 1024}
    rig = make_rig(CONFIG, sizes)
    rig.service(IPV4.vip, 80, [Backend(IPV4.remote_pod)])
    begin(rig, IPV4, PORTS)
    for left in (20, 0):
        fills = sweep(rig, tmp_path).tables
        assert {name: fills[name] for name in sizes} == {
            t.CT_TCP.name: gc.Fill(4096, left, evicted=0),
            t.CT_ANY.name: gc.Fill(2048, 0, evicted=0),
            t.SNAT.name: gc.Fill(1024, left, evicted=0),
        }
        end_all(rig)


@BOTH
def test_a_port_that_is_used_again_while_the_table_is_cleaned_keeps_its_flow(
    dual: Rig, family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dual.service(family.vip, 80, [Backend(family.remote_pod)])
    begin(dual, family, PORTS)
    end_all(dual)
    expired = gc.expired

    def and_then_one_begins(entries: Iterable[Entry], now: int) -> set[bytes]:
        found = expired(entries, now)
        begin(dual, family, PORTS[:1])
        return found

    monkeypatch.setattr(gc, "expired", and_then_one_begins)
    collected = sweep(dual, tmp_path)
    assert (collected.connections, collected.translations) == (18, 18)
    kept: list[Any] = [key for key, _ in dual.map(family.ct_tcp).items()]
    assert {key.dport for key in kept} | {key.sport for key in kept} >= {PORTS[0]}
    assert counts(dual, family) == (2, 2), (
        "its backend, its connection, and both ways of its translation"
    )


@dataclass(frozen=True)
class Flow:
    """Packets of one flow, and the programs they go through."""

    steps: tuple[tuple[str, Any], ...]
    backend: str = REMOTE_POD
    config: NodeConfig = DUAL
    translated: int = 2
    """Entries of its translation."""


SEGMENT, QUERY = TCP(sport=PORT, dport=80), UDP(sport=PORT, dport=80) / b"q"
LEAVING = ("from_container", "to_netdev")


def arriving(packet: Any) -> tuple[tuple[str, Any], ...]:
    return (("from_netdev", FROM_ROUTER / packet),)


def leaving(packet: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((program, FROM_POD / packet) for program in LEAVING)


FLOWS = {
    "to another node": Flow(arriving(IP(src=CLIENT, dst=VIP) / SEGMENT)),
    "to another node, UDP": Flow(arriving(IP(src=CLIENT, dst=VIP) / QUERY)),
    "to another node, IPv6": Flow(
        arriving(IPv6(src=CLIENT_6, dst=VIP_6) / SEGMENT), backend=REMOTE_POD_6
    ),
    "to another node, IPv6 UDP": Flow(
        arriving(IPv6(src=CLIENT_6, dst=VIP_6) / QUERY), backend=REMOTE_POD_6
    ),
    "to another node, IPv6 XDP": Flow(
        (("xdp_entry", FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6) / SEGMENT),),
        backend=REMOTE_POD_6,
    ),
    "to another node, XDP": Flow((("xdp_entry", FROM_ROUTER / IP(src=CLIENT, dst=VIP) / SEGMENT),)),
    "to the world": Flow(leaving(IP(src=POD, dst=CLIENT) / SEGMENT)),
    "to the world, UDP": Flow(leaving(IP(src=POD, dst=CLIENT) / QUERY)),
    "to the world, echo": Flow(leaving(IP(src=POD, dst=CLIENT) / ICMP(id=40000, seq=1))),
    "to the world, IPv6": Flow(leaving(IPv6(src=POD_6, dst=CLIENT_6) / QUERY)),
    "to the world, IPv6 echo": Flow(
        leaving(IPv6(src=POD_6, dst=CLIENT_6) / ICMPv6EchoRequest(id=40000, seq=1))
    ),
    "to itself": Flow(
        (("from_container", FROM_POD / IP(src=POD, dst=VIP) / SEGMENT),), backend=POD, translated=0
    ),
    "to itself, IPv6": Flow(
        (("from_container", FROM_POD / IPv6(src=POD_6, dst=VIP_6) / SEGMENT),),
        backend=POD_6,
        translated=0,
    ),
    "of the node, to the world, IPv6": Flow(
        (("to_netdev", FROM_ROUTER / IPv6(src=NODE_6, dst=CLIENT_6) / QUERY),)
    ),
    "of the node, to the world": Flow(
        (("to_netdev", FROM_ROUTER / IP(src=NODE, dst=CLIENT) / QUERY),)
    ),
    "of the node, to the world, echo": Flow(
        (("to_netdev", FROM_ROUTER / IP(src=NODE, dst=CLIENT) / ICMP(id=40000, seq=1)),)
    ),
    "of the node, to the world, IPv6 echo": Flow(
        (("to_netdev", FROM_ROUTER / IPv6(src=NODE_6, dst=CLIENT_6) / ICMPv6EchoRequest(id=40000)),)
    ),
    "of the node, to another node": Flow(
        (("from_host", FROM_ROUTER / IP(src=ROUTER, dst=REMOTE_POD) / SEGMENT),)
    ),
    "of the node, to another node, IPv6": Flow(
        (("from_host", FROM_ROUTER / IPv6(src=ROUTER_6, dst=REMOTE_POD_6) / SEGMENT),)
    ),
    "direct, to a pod": Flow(
        arriving(telling(CLIENT, POD, 6) / SEGMENT),
        backend=POD,
        config=DSR,
        translated=1,
    ),
    "direct, to a pod, IPv6": Flow(
        arriving(telling(CLIENT_6, POD_6, 6) / SEGMENT),
        backend=POD_6,
        config=DSR,
        translated=1,
    ),
    "direct, to the node": Flow(
        arriving(telling(CLIENT, NODE, 6) / SEGMENT),
        backend=NODE,
        config=DSR,
        translated=1,
    ),
    "direct, to the node, IPv6": Flow(
        arriving(telling(CLIENT_6, NODE_6, 6) / SEGMENT),
        backend=NODE_6,
        config=DSR,
        translated=1,
    ),
}


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_that_lives_keeps_all_that_it_has_and_then_nothing(
    make_rig: Callable[..., Rig], tmp_path: Path, name: str
) -> None:
    flow = FLOWS[name]
    rig = make_rig(flow.config)
    vip = VIP_6 if ":" in flow.backend else VIP
    for proto in (6, 17):
        rig.service(vip, 80, [Backend(flow.backend)], proto=proto)
    for program, packet in flow.steps:
        rig.run(program, packet)
    entered = held(rig)
    translations = [key for table, key in entered if table in (t.SNAT.name, t.SNAT6.name)]
    assert len(translations) == flow.translated
    assert len(entered) > flow.translated
    sweep(rig, tmp_path)
    assert held(rig) == entered
    end_all(rig)
    sweep(rig, tmp_path)
    assert held(rig) == set()


def held(rig: Rig) -> set[tuple[str, bytes]]:
    """What there is of connections and translations."""
    return {
        (table.name, key)
        for table in (*CONNECTIONS, t.SNAT, t.SNAT6)
        for key, _ in rig.map(table).raw_items()
    }
