"""The flow log on one core: events decoded and stored, a filter over a full ring, what is lost."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from statistics import median
from typing import Any

from lab.bench.model import Row, in_turns
from lab.bpf import record
from lab.hubble.api import flow_pb2
from lab.hubble.filters.compile import Context, compile_filters
from lab.hubble.identity import reserved_labels
from lab.hubble.lookup import Endpoint, Service
from lab.hubble.metrics.exporter import DEFAULT, FlowMetrics
from lab.hubble.observer import Observer
from lab.hubble.query import Selection, select

POD = IPv4Address("10.0.3.150").packed
ROUTER = IPv4Address("10.0.3.1").packed
EVENTS = 20_000
BATCH = 200
"""Events of one look at the ring, at 50,000 a second and one look every four milliseconds."""
FLOOD_FLOWS = 3

TRACE = struct.Struct("=BBHIIHHIIHBBI16x")
FRAME = struct.Struct(">12xHBBHHHBBH4s4sHHIIBBHHH")


def measure(rounds: int) -> Iterator[Row]:
    """Processor time, so that other work on the machine matters less."""
    measures = (lambda: _stored(()), lambda: _stored(DEFAULT), _kept, _filtered)
    plain, counted, kept, filtered = map(median, in_turns(rounds, *measures))
    yield _row("events decoded and stored", "1/s", plain, 100_000, less_is_better=False)
    yield _row("the same, with metrics", "1/s", counted, 100_000, less_is_better=False)
    yield _row("records of a flood, counted and kept", "1/s", kept, 100_000, less_is_better=False)
    yield _row("filter over a full ring", "ms", filtered, 10)


def _row(name: str, unit: str, ours: float, target: float, *, less_is_better: bool = True) -> Row:
    return Row(name, unit, ours, None, "", target, less_is_better)


def _stored(metrics: Sequence[str]) -> float:
    """Events a second of processor time."""
    observer = Observer("bench", _Directory())
    if metrics:
        FlowMetrics(observer, metrics)
    batches = [[_event(number) for number in range(BATCH)] for _ in range(EVENTS // BATCH)]
    start = time.process_time()
    for batch in batches:
        observer.feed_many(batch)
    return EVENTS / (time.process_time() - start)


def _kept() -> float:
    """The ring's records of a few connections, which nobody asks for, with metrics."""
    observer = Observer("bench", _Directory())
    FlowMetrics(observer, DEFAULT)
    batch = b"".join(_record(_event(number % FLOOD_FLOWS)) for number in range(BATCH))
    start = time.process_time()
    for _ in range(EVENTS // BATCH):
        observer.feed_records(batch)
    return EVENTS / (time.process_time() - start)


def _filtered() -> float:
    """Milliseconds of processor time to find, in a full ring, the flows that are not there."""
    observer = Observer("bench", _Directory())
    observer.feed_many(_event(number) for number in range(observer.flows.capacity))
    context = Context(
        node_of=lambda _: "bench",
        uuid_of=observer.writer.uuid,
        interface_name=str,
        message_of=observer.writer.write,
    )
    sides = [
        flow_pb2.FlowFilter(source_pod=["shop/"]),
        flow_pb2.FlowFilter(destination_pod=["shop/"]),
    ]
    matches = compile_filters(sides, [], context)
    start = time.process_time()
    wanted: Selection[Any] = Selection(matches=matches)
    found = sum(1 for _ in select(observer.flows, wanted))
    spent = time.process_time() - start
    assert not found
    return spent * 1000


class _Directory:
    """One pod and its node."""

    def __init__(self) -> None:
        self._known = {
            POD: Endpoint(35812, 77, "default", "web1-696bfbbbc4-jnxbc", ("k8s:svc=web1-lb",)),
            ROUTER: Endpoint(1, labels=reserved_labels(1)),
        }

    def endpoint(self, address: bytes) -> Endpoint | None:
        return self._known.get(address)

    def labels(self, _identity: int) -> tuple[str, ...]:
        return ()

    def service(self, _address: bytes, _port: int) -> Service | None:
        return None

    def now(self) -> _Directory:
        return self

    def interface(self, _index: int) -> str:
        return "eth0"


def _event(number: int) -> bytes:
    """A trace event at to-endpoint of a SYN from the node to the pod."""
    ports = 32768 + number % 20000, 80
    ip = (0x45, 0, 40, 1, 0x4000, 64, 6, 0, ROUTER, POD)
    frame = FRAME.pack(0x0800, *ip, *ports, 1, 2, 5 << 4, 2, 64240, 0, 0)
    header = TRACE.pack(4, 0, 77, 0, len(frame), len(frame), 1, 1, 35812, 77, 0, 0, 7)
    return header + frame


def _record(event: bytes) -> bytes:
    header = struct.pack("=II", record.LENGTH, 0)
    return (header + event).ljust(record.TIME_AT, b"\0") + struct.pack("=Q", time.monotonic_ns())
