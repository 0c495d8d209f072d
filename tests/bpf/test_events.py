"""The ring of events: everything is read or counted as lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from scapy.layers.l2 import Ether

from lab.bpf import record
from lab.bpf.codes import Aggregation, EventType, ObsPoint
from lab.bpf.tables import EVENTS_NAME

from .node import CONFIG, POD, REMOTE_POD, VIP
from .packets import request
from .rig import Backend, Rig

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


def test_without_aggregation_arrivals_are_reported_too(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(replace(CONFIG, aggregation=Aggregation.NONE))
    rig.service(VIP, 80, [Backend(POD)])
    for _ in range(2):
        rig.run("from_netdev", request(flags="A"))
    kinds = [(event.type, event.subtype) for event in rig.events()]
    arrival = (EventType.TRACE, ObsPoint.FROM_NETWORK)
    delivery = (EventType.TRACE, ObsPoint.TO_ENDPOINT)
    assert kinds == [arrival, delivery] * 2
