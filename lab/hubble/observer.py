"""The flow log of one node: takes event bytes in, keeps the newest, tells what was lost.

Events that come one by one are decoded at once. The kernel's records are kept as they are until
somebody asks for them (lab.hubble.batch), and counted together (lab.hubble.tally).

One thread feeds (the one that reads the kernel's ring buffer); any number of threads read.
No gRPC here: lab.hubble.server serves an Observer, and only after the last fork.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lab.bpf import record as ring_record
from lab.hubble import codes
from lab.hubble.agent_events import AgentEvent, DebugEvent, decode_debug
from lab.hubble.batch import Batch
from lab.hubble.decode import Decoder, MalformedEvent
from lab.hubble.flow import FlowWriter
from lab.hubble.lookup import Addresses, EndpointLookup, Peer
from lab.hubble.peers import PeerBook
from lab.hubble.rate import Rate
from lab.hubble.record import Record
from lab.hubble.ring import Ring
from lab.hubble.tally import Alike, Tally

CAPACITY = 4095
"""Flows a node keeps, Cilium's default: one less than a power of two."""

EVENT_CAPACITY = 1023
"""Agent events and debug events a node keeps, each."""

NAMESPACE_AGE = 3600 * 10**9
"""Nanoseconds for which a namespace is listed after its last flow."""

MOST_RECORDS = 4096
"""Records that may be fed at once."""

Tap = Callable[[Record], None]
Count = Callable[[Record, int], None]


@dataclass(frozen=True, slots=True)
class Lost:
    """Events that the kernel's buffer had no room for; stands in the log at its time."""

    at: int
    count: int
    cpu: int | None = None


class Observer:
    """Decodes events with the help of `lookup` and keeps the newest flows.

    `profile` is the datapath's generation ("cilium-1.10" or "modern"): it decides whether an
    event's reason field tells about connection tracking at every observation point. `version`
    is what ServerStatus reports.
    """

    def __init__(
        self,
        node_name: str,
        lookup: EndpointLookup,
        *,
        profile: str = "cilium-1.10",
        capacity: int = CAPACITY,
        version: str = "",
        node_labels: tuple[str, ...] = (),
    ) -> None:
        self.node_name = node_name
        self.lookup = lookup
        self.profile = profile
        self.version = version or VERSIONS.get(profile, profile)
        self.node_labels = node_labels
        self.started = time.time_ns()
        self.flows: Ring[Record | Lost] = Ring(capacity, spare=MOST_RECORDS)
        self.agent_events: Ring[AgentEvent] = Ring(EVENT_CAPACITY)
        self.debug_events: Ring[DebugEvent] = Ring(EVENT_CAPACITY)
        self.peers = PeerBook()
        self.writer = FlowWriter(node_name, lookup, boot=self.started)
        self.malformed = 0
        self.lost_events = 0
        self.missed_flows = 0
        """Flows that followers were too slow for, over all of them."""
        self._known: Addresses = lookup.now()
        self._decoder = Decoder(self._known, profile)
        self._tally = Tally()
        self._unread: deque[Batch] = deque()
        """Batches of the log that have not been decoded as a whole, oldest first."""
        self._rate = Rate()
        self._namespaces: dict[str, int] = {}
        self._taps: tuple[Tap, ...] = ()
        self._counts: tuple[Count, ...] = ()

    def feed(self, event: bytes, at: int | None = None) -> None:
        """Take one event as the BPF program wrote it; `at` is its time (Unix, nanoseconds).

        A malformed event is counted and dropped. Without `at` the event happened now.
        """
        self.feed_many((event,), at)

    def feed_many(self, events: Iterable[bytes], at: int | None = None) -> None:
        """Take a batch in its order; cheaper than one by one, since followers wake once."""
        self._look_around()
        at = time.time_ns() if at is None else at
        for event in events:
            self._feed(event, at)
        self.flows.wake()

    def feed_records(self, records: bytes) -> None:
        """Take what was read from the kernel's ring (lab.bpf.record): 1 to MOST_RECORDS."""
        self._look_around()
        epoch = time.time_ns() - time.monotonic_ns()
        alike = Alike(records)
        if alike.are_flows:
            self._feed_batch(Batch(records, self.flows.written, epoch, self._decoder), alike)
        else:
            for at, event in ring_record.timed_events(records):
                self._feed(event, epoch + at)
        self.flows.wake()

    def read_on(self, limit: int) -> None:
        """Decode up to `limit` flows that nobody has asked for: the next question takes less."""
        self._forget()
        if self._unread and not self._unread[0].read_on(limit):
            self._unread.popleft()

    def lost(self, count: int, cpu: int | None = None) -> None:
        """Note that the kernel's buffer was full and `count` events never reached `feed`."""
        self.lost_events += count
        self.flows.write(Lost(time.time_ns(), count, cpu))
        self.flows.wake()

    def agent_event(self, event: AgentEvent) -> None:
        """Log what the agent did (an endpoint created, a service upserted ...)."""
        self.agent_events.write(event)
        self.agent_events.wake()

    def set_peers(self, peers: Iterable[Peer]) -> None:
        """Replace the set of nodes whose observers Peer.Notify tells about (this one included)."""
        self.peers.replace(peers)

    def add_tap(self, tap: Tap) -> None:
        """Call `tap` with every flow, on the feeding thread (recordings)."""
        self._taps = (*self._taps, tap)

    def add_count(self, count: Count) -> None:
        """Call `count` on the feeding thread with flows and how many are alike (metrics).

        Alike are those that differ in nothing but MAC addresses, lengths, times and numbers.
        """
        self._counts = (*self._counts, count)

    def remove_tap(self, tap: Tap) -> None:
        self._taps = tuple(each for each in self._taps if each is not tap)

    def close(self) -> None:
        """End all followers."""
        for ring in (self.flows, self.agent_events, self.debug_events):
            ring.close()
        self.peers.close()

    def namespaces(self) -> list[str]:
        """Namespaces with a flow in the last hour, sorted."""
        horizon = time.time_ns() - NAMESPACE_AGE
        seen = list(self._namespaces.items())
        return sorted(name for name, at in seen if name and at >= horizon)

    def rate(self) -> float:
        """Flows a second over the last minute, or since the start when that is less long ago."""
        return self._rate.a_second()

    def _look_around(self) -> None:
        """Go by what is known now. Events that came before are decoded with what was known then.

        They are so at once, or each would keep the whole of its time's knowledge.
        """
        known = self.lookup.now()
        if known is self._known:
            return
        while self._unread:
            self.read_on(MOST_RECORDS)
        self._known = known
        self._decoder = Decoder(known, self.profile)
        self._tally = Tally()

    def _feed_batch(self, batch: Batch, alike: Alike) -> None:
        at = batch.at
        self.flows.extend(batch)
        self._unread.append(batch)
        self._forget()
        for record, times in self._tally.count(alike, batch):
            self._count(record, at, times)
        if self._taps:
            self._tap(batch)

    def _forget(self) -> None:
        """Let go of batches that the log has overwritten."""
        while self._unread and self._unread[0].first + len(self._unread[0]) <= self.flows.oldest:
            self._unread.popleft()

    def _count(self, record: Record, at: int, times: int) -> None:
        self._rate.add(at, times)
        self._namespaces[record.source.namespace] = at
        self._namespaces[record.destination.namespace] = at
        for count in self._counts:
            count(record, times)

    def _tap(self, batch: Batch) -> None:
        for number in range(batch.first, batch.first + len(batch)):
            for tap in self._taps:
                tap(batch.value(number))

    def _feed(self, event: bytes, at: int) -> None:
        if event and event[0] == codes.DEBUG:
            self._feed_debug(event, at)
        else:
            self._feed_flow(event, at)

    def _feed_flow(self, event: bytes, at: int) -> None:
        try:
            record = self._decoder.decode(event, at)
        except MalformedEvent:
            self.malformed += 1
            return
        record.number = self.flows.written
        self.flows.write(record)
        self._count(record, at, 1)
        for tap in self._taps:
            tap(record)

    def _feed_debug(self, event: bytes, at: int) -> None:
        try:
            self.debug_events.write(decode_debug(event, at))
        except MalformedEvent:
            self.malformed += 1
            return
        self.debug_events.wake()


VERSIONS = {"cilium-1.10": "cilium v1.10.5", "modern": "cilium v1.19.0"}
"""Generation of Cilium that a profile behaves like."""
