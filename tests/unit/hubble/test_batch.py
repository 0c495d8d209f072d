"""Records of the kernel's ring: the same flows and counts as the same events one by one."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from lab.bpf import record as ring_record
from lab.hubble.metrics.exporter import FlowMetrics
from lab.hubble.observer import MOST_RECORDS, Observer
from lab.hubble.query import Selection, select
from lab.hubble.record import Record

from . import article
from .article import ACK, REPLY, SYN, TO_ENDPOINT, TO_STACK

COUNTED = (
    "flow:sourceContext=pod|identity;destinationContext=pod|ip",
    *("tcp", "icmp", "drop", "port-distribution"),
    "flows-to-world:any-drop;port",
)


def record(event: bytes, at: int | None = None) -> bytes:
    """An event in the ring, made now; behind a short packet stands what was there before."""
    at = time.monotonic_ns() if at is None else at
    room = ring_record.LENGTH - 8
    noise = random.randbytes(room - len(event))
    return struct.pack("=II", ring_record.LENGTH, 0) + event + noise + struct.pack("=Q", at)


def drop(*args: object, **more: object) -> bytes:
    return article.drop(*args, version=3, **more)  # type: ignore[arg-type]


PROBE = ("10.0.3.103", 48278)
EVENTS = (
    article.trace(TO_ENDPOINT, article.client_to_pod(SYN, *PROBE), source=77),
    article.trace(TO_ENDPOINT, article.client_to_pod(ACK, *PROBE), source=77),
    article.trace(TO_ENDPOINT, article.client_to_pod(ACK), source=77, identities=(2, 0)),
    article.trace(TO_STACK, article.pod_to(*PROBE, SYN | ACK), reason=REPLY, source=77),
    article.trace(TO_STACK, article.frame(article.POD, "203.0.113.9", ports=(4000, 443), flags=2)),
    article.trace(TO_ENDPOINT, article.frame(article.CLIENT, article.POD, protocol=1)),
    article.trace(TO_ENDPOINT, article.frame(article.CLIENT, article.POD, protocol=17)),
    article.trace(TO_ENDPOINT, article.frame("fd00::1", "fd00::2", ports=(1, 80), flags=SYN)),
    article.trace(TO_ENDPOINT, article.frame("fd00::1", "fd00::3", ports=(1, 81), flags=ACK)),
    article.trace(TO_ENDPOINT, b"\xff" * 13),
    drop(158, article.client_to_pod(SYN), identities=(2, 0)),
    drop(133, article.frame(article.POD, "203.0.113.9", ports=(4000, 444), flags=SYN)),
)


def observed(*configuration: str) -> tuple[Observer, CollectorRegistry]:
    observer = Observer("k8s-worker3", article.pod_node())
    registry = CollectorRegistry()
    registry.register(FlowMetrics(observer, configuration or COUNTED))
    return observer, registry


def counts(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if not line.startswith("#") and "_created" not in line)


def flows(observer: Observer) -> list[Record]:
    return [each for each in select(observer.flows, Selection()) if isinstance(each, Record)]


def said(record: Record) -> Sequence[object]:
    return [getattr(record, name) for name in Record.__slots__ if name not in ("at", "interface")]


@pytest.mark.parametrize("size", [1, 7, 300])
def test_batches_count_and_say_what_single_events_do(size: int) -> None:
    events = random.choices(EVENTS, k=900)
    together, its_counts = observed()
    alone, their_counts = observed()
    for start in range(0, len(events), size):
        chunk = events[start : start + size]
        together.feed_records(b"".join(record(event) for event in chunk))
        alone.feed_many(chunk)
    assert counts(its_counts) == counts(their_counts)
    assert together.namespaces() == alone.namespaces() == ["default"]
    assert list(map(said, flows(together))) == list(map(said, flows(alone)))


def test_flow_has_the_time_of_its_event() -> None:
    observer, _ = observed()
    made = time.monotonic_ns() - 5_000_000
    wanted = time.time_ns() - 5_000_000
    observer.feed_records(b"".join(record(EVENTS[0], made + n) for n in range(3)))
    first, *others = (flow.at for flow in flows(observer))
    assert [at - first for at in others] == [1, 2]
    assert abs(first - wanted) < 10**9


@dataclass
class Changing(article.Directory):
    known: article.Directory = field(default_factory=article.pod_node)

    def now(self) -> article.Directory:
        return self.known


@pytest.mark.parametrize("more", [False, True])
def test_events_are_read_with_what_was_known_when_they_came(more: bool) -> None:
    """A pod that is gone is still named, whether or not anything has come since."""
    directory = Changing()
    observer = Observer("k8s-worker3", directory)
    observer.feed_records(record(EVENTS[0]))
    directory.known = article.Directory()
    if more:
        observer.feed_records(record(EVENTS[0]))
    names = [flow.destination.pod for flow in flows(observer)]
    assert names == [article.WEB.pod, ""][: 1 + more]


def test_log_keeps_the_newest_whatever_the_batches_are() -> None:
    observer = Observer("k8s-worker3", article.pod_node())
    fed = 0
    for size in (MOST_RECORDS, 1, 3000, MOST_RECORDS, 17):
        observer.feed_records(record(EVENTS[fed % 3]) * size)
        fed += size
        kept = [flow.number for flow in flows(observer)]
        assert kept == list(range(max(0, fed - observer.flows.capacity), fed))


def test_reading_on_changes_nothing_that_is_seen() -> None:
    observer = Observer("k8s-worker3", article.pod_node())
    observer.feed_records(b"".join(map(record, EVENTS)))
    before = list(map(said, flows(observer)))
    for _ in EVENTS:
        observer.read_on(5)
    assert list(map(said, flows(observer))) == before


def test_unknown_events_among_records_are_counted_as_malformed() -> None:
    observer, registry = observed("flow")
    newer = bytearray(EVENTS[0])
    newer[14] = 9
    observer.feed_records(record(EVENTS[0]) + record(bytes(newer)) + record(EVENTS[1]))
    assert len(flows(observer)) == 2
    assert "hubble_malformed_events_total 1.0" in counts(registry)


def test_rate_counts_floods_that_the_log_could_not_hold() -> None:
    observer = Observer("k8s-worker3", article.pod_node())
    now = time.monotonic_ns()
    for _ in range(3):
        observer.feed_records(record(EVENTS[0], now) * 4000)
    assert observer.rate() == pytest.approx(12_000)


def test_recordings_get_every_packet() -> None:
    observer = Observer("k8s-worker3", article.pod_node())
    seen: list[Record] = []
    observer.add_tap(seen.append)
    observer.feed_records(record(EVENTS[0]) * 5)
    observer.remove_tap(seen.append)
    assert [flow.number for flow in seen] == [0, 1, 2, 3, 4]
