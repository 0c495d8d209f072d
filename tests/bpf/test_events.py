"""The ring of events: everything is read or counted as lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Ether

from lab.bpf import record
from lab.bpf import tables as t
from lab.bpf.codes import Aggregation, Direction, EventType, Identity, ObsPoint, Reason, TupleFlag
from lab.bpf.tables import EVENTS_NAME

from .family import BOTH, IPV6, Family
from .node import (
    CLIENT,
    CONFIG,
    DUAL,
    GATEWAY,
    POD,
    POD2,
    POD_ID,
    POD_LABEL,
    REMOTE_POD,
    ROUTER,
    VIP,
)
from .packets import FROM_ROUTER, PORT, reply, request
from .rig import REDIRECT, Backend, Rig
from .xdp import SENT, tunnelled

RING = 4096


def test_every_event_is_read(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    for _ in range(50):
        rig.run("from_netdev", request())
    read = len(rig.raw_events())
    counts = rig.event_counts()
    assert (read, counts.made, counts.lost) == (50, 50, 0)


def test_full_ring_loses_and_counts(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(CONFIG, {EVENTS_NAME: RING})
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    for _ in range(60):
        rig.run("from_netdev", request())
    read = len(rig.raw_events())
    counts = rig.event_counts()
    assert counts.made == 60
    assert 0 < read <= RING // record.SIZE
    assert read + counts.lost == 60
    rig.run("from_netdev", request())
    assert len(rig.raw_events()) == 1, "there is room again"


def test_ring_goes_round(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(CONFIG, {EVENTS_NAME: RING})
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    ports = range(40000, 40100)
    seen = []
    for port in ports:
        rig.run("from_netdev", request(sport=port))
        seen += [Ether(event[48:]).sport for event in rig.raw_events()]
    assert seen == list(ports)
    assert rig.event_counts().lost == 0


def test_event_carries_the_packet_and_no_more(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD)])
    short, long = request(), request(flags="PA") / bytes(500)
    for sent in (short, long):
        rig.run("from_netdev", sent)
    first, second = rig.raw_events()
    assert (len(first), len(second)) == (48 + len(short), 48 + 128)
    assert int.from_bytes(second[8:12], "little") == len(long)


def test_event_tells_when_and_of_which_flow(rig: Rig) -> None:
    """One order for all nodes, whoever reads first; a drop's like all others."""
    before = time.monotonic_ns()
    for sport, ttl in ((PORT, 64), (PORT, 1), (PORT + 1, 64)):
        sent = reply(POD, POD2, sport=sport)
        sent[IP].ttl = ttl
        rig.run("from_container", sent)
    times, events = zip(*rig.timed_events(), strict=True)
    kinds = [(event[0], int.from_bytes(event[14:16], "little")) for event in events]
    trace, drop = (EventType.TRACE, 1), (EventType.DROP, 3)
    assert kinds == [trace, drop, trace], "and the versions by which readers know the fields"
    order = [before, *times, time.monotonic_ns()]
    assert order == sorted(order)
    assert {len(event) for event in events} == {48 + len(reply(POD, POD2))}
    first, again, other = (int.from_bytes(event[4:8], "little") for event in events)
    assert 0 != first == again != other


def test_without_aggregation_arrivals_are_reported_too(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(replace(CONFIG, aggregation=Aggregation.NONE))
    rig.service(VIP, 80, [Backend(POD)])
    for _ in range(2):
        rig.run("from_netdev", request(flags="A"))
    kinds = [(event.type, event.subtype) for event in rig.events()]
    arrival = (EventType.TRACE, ObsPoint.FROM_NETWORK)
    delivery = (EventType.TRACE, ObsPoint.TO_ENDPOINT)
    assert kinds == [arrival, delivery] * 2


@BOTH
def test_every_event_tells_the_packets_family(make_rig: Callable[..., Rig], family: Family) -> None:
    """What the reader must not have to guess (flag 1: IPv6), wherever a packet is reported."""
    rig = make_rig(replace(DUAL, aggregation=Aggregation.NONE))
    rig.service(family.vip, 80, [Backend(family.pod)])
    rig.service(family.near(family.vip, 1), 80, [Backend(family.remote_pod)])
    hops = [
        ("from_netdev", request(family.client, family.vip)),
        ("from_netdev", request(family.client, family.near(family.vip, 1))),
        ("from_container", reply(family.pod, family.client)),
        ("from_container", reply(family.pod, family.remote_pod)),
        ("from_container", reply(family.pod, family.router)),
        ("from_container", reply(family.client, family.pod)),
        ("to_container", request(family.router, family.pod)),
        ("from_host", request(family.router, family.remote_pod)),
        ("from_host", request(family.router, family.near(family.pod, 90))),
        ("to_host", request(family.remote_pod, family.router)),
        ("to_netdev", request(family.node, family.client)),
        ("to_overlay", request(family.router, family.remote_pod)),
    ]
    for program, packet in hops:
        rig.run(program, packet)
        events = rig.events()
        assert events, program
        assert {(program, e.flags & 1) for e in events} == {(program, int(family is IPV6))}


def told(raw: bytes) -> tuple[int, str, str]:
    """Where a packet was reported, its source and its flags."""
    packet: Any = Ether(raw[48:])
    return raw[1], packet[1].src, str(packet[TCP].flags)


@BOTH
def test_1_10_reports_the_request_before_snat(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.remote_pod)])
    for flags in ("S", "A", "PA", "A", "A", "FA", "A"):
        dual.run("from_netdev", request(family.client, family.vip, flags=flags))
    seen = [told(raw) for raw in dual.raw_events()]
    assert seen == [
        (ObsPoint.TO_OVERLAY, family.client, f) for f in ("S", "A", "PA", "A", "A", "FA", "A")
    ]


@BOTH
def test_modern_reports_it_after_snat_and_with_aggregation(modern: Rig, family: Family) -> None:
    modern.service(family.vip, 80, [Backend(family.remote_pod)])
    for flags in ("S", "A", "PA", "A", "A"):
        modern.run("from_netdev", request(family.client, family.vip, flags=flags))
    seen = [told(raw) for raw in modern.raw_events()]
    assert seen == [(ObsPoint.TO_OVERLAY, family.router, f) for f in ("S", "A", "PA")]


@BOTH
def test_local_delivery_reports_identities(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod)])
    dual.run("from_netdev", request(family.client, family.vip))
    (event,) = dual.events()
    assert (event.subtype, event.src_label, event.dst_label) == (
        ObsPoint.TO_ENDPOINT,
        Identity.WORLD,
        POD_LABEL,
    )


def test_drop_of_a_pods_packet_names_the_pod(rig: Rig) -> None:
    """Hubble tells by it whether the packet came or went."""
    sent = reply(POD, CLIENT)
    sent[IP].ttl = 1
    rig.service(VIP, 80, [Backend(POD)])
    rig.run("from_netdev", request())
    rig.events()
    rig.run("from_container", sent)
    (event,) = rig.events()
    assert (event.subtype, event.source, event.src_label) == (
        Reason.TTL_EXCEEDED,
        POD_ID,
        POD_LABEL,
    )


def forwarded(rig: Rig) -> dict[int, int]:
    """Packets let go on so far, by direction."""
    metrics = dict(rig.map(t.METRICS).items())
    return {key.dir: value.count for key, value in metrics.items() if not key.reason}


def test_each_way_counts_a_packet_once(rig: Rig) -> None:
    """A reply that leaves by the uplink is counted there; from pod to pod both ways are gone."""
    rig.service(VIP, 80, [Backend(POD)])
    rig.run("from_netdev", request())
    assert forwarded(rig) == {Direction.INGRESS: 1}
    left = rig.run("from_container", reply(POD, CLIENT))
    rig.run("to_netdev", left.packet)
    assert forwarded(rig) == {Direction.INGRESS: 1, Direction.EGRESS: 1}
    rig.run("from_container", reply(POD2, POD, sport=1000, dport=80, flags="S"))
    assert forwarded(rig) == {Direction.INGRESS: 2, Direction.EGRESS: 2}
    rig.run("to_host", request(REMOTE_POD, ROUTER))
    assert forwarded(rig) == {Direction.INGRESS: 2, Direction.EGRESS: 3}
    rig.run("from_container", reply(POD, REMOTE_POD))
    rig.run("from_host", request(ROUTER, REMOTE_POD))
    assert forwarded(rig) == {Direction.INGRESS: 2, Direction.EGRESS: 5}, "into the tunnel"


def test_metrics_count_bytes(rig: Rig) -> None:
    sent = [reply(POD, CLIENT, flags="PA") / bytes(size) for size in (0, 100, 1000)]
    for packet in sent:
        rig.run("from_container", packet)
    ((_, value),) = rig.map(t.METRICS).items()
    assert (value.count, value.bytes) == (3, sum(map(len, sent)))


def test_what_turns_around_in_the_driver_is_counted_where_it_enters_the_tunnel(rig: Rig) -> None:
    """As in Cilium: whatever else the driver sends never passes the counter at the uplink."""
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    assert rig.run("xdp_entry", request()).verdict == SENT
    assert forwarded(rig) == {Direction.EGRESS: 1}
    assert rig.run("xdp_entry", tunnelled(reply(REMOTE_POD, ROUTER))).verdict == SENT
    assert forwarded(rig) == {Direction.EGRESS: 1}


@pytest.mark.parametrize(
    ("backend", "dst", "counted"),
    [
        (POD, VIP, {Direction.INGRESS: 2}),
        (REMOTE_POD, VIP, {Direction.EGRESS: 2}),
        (REMOTE_POD, ROUTER, {Direction.EGRESS: 1}),
    ],
    ids=["to a pod", "to a pod elsewhere", "to the client"],
)
def test_error_that_is_passed_on_counts_once(
    rig: Rig, backend: str, dst: str, counted: dict[int, int]
) -> None:
    """One that leaves by the uplink is counted there."""
    rig.service(VIP, 80, [Backend(backend)])
    asked = rig.run("from_netdev", request()).frame
    about = asked[IP] if dst == ROUTER else IP(src=VIP, dst=CLIENT) / TCP(sport=80, dport=PORT)
    told = FROM_ROUTER / IP(src=GATEWAY, dst=dst) / ICMP(type=3, code=4) / bytes(about)[:28]
    assert rig.run("from_netdev", told).verdict == REDIRECT
    assert forwarded(rig) == counted


def monotonic() -> int:
    return int(time.clock_gettime(time.CLOCK_MONOTONIC))


@pytest.mark.parametrize(("ago", "reports"), [(5, 0), (6, 1)])
def test_packet_is_reported_after_more_than_five_seconds(rig: Rig, ago: int, reports: int) -> None:
    rig.service(VIP, 80, [Backend(POD)])
    for flags in ("S", "A"):
        rig.run("from_netdev", request(flags=flags))
    table = rig.map(t.CT_TCP)
    key, value = next(pair for pair in table.items() if pair[0].flags == TupleFlag.IN)
    before = -1
    while before != monotonic():  # all within one second
        rig.events()
        before = monotonic()
        value.last_rx_report = before - ago
        table.update(key, value)
        rig.run("from_netdev", request(flags="A"))
    assert len(rig.events()) == reports
