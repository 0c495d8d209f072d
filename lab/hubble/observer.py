"""The flow log of one node: takes event bytes in, keeps the newest, tells what was lost.

One thread feeds (the one that reads the kernel's ring buffer); any number of threads read.
No gRPC here: lab.hubble.server serves an Observer, and only after the last fork.
"""

from __future__ import annotations

from collections.abc import Iterable

from lab.hubble.lookup import EndpointLookup, Peer

CAPACITY = 4095
"""Flows a node keeps, Cilium's default: one less than a power of two."""


class Observer:
    """Decodes events with the help of `lookup` and keeps the newest flows.

    `profile` is the datapath's generation ("cilium-1.10" or "modern"): it decides whether an
    event's reason field tells about connection tracking at every observation point.
    """

    def __init__(
        self,
        node_name: str,
        lookup: EndpointLookup,
        *,
        profile: str = "cilium-1.10",
        capacity: int = CAPACITY,
    ) -> None:
        self.node_name = node_name
        self.lookup = lookup
        self.profile = profile
        self.capacity = capacity

    def feed(self, event: bytes, at: int | None = None) -> None:
        """Take one event as the BPF program wrote it; `at` is its time (Unix, nanoseconds).

        A malformed event is counted and dropped. Without `at` the event happened now.
        """
        raise NotImplementedError

    def feed_many(self, events: Iterable[bytes], at: int | None = None) -> None:
        """Take a batch in its order; cheaper than one by one, since followers wake once."""
        raise NotImplementedError

    def lost(self, count: int, cpu: int | None = None) -> None:
        """Note that the kernel's buffer was full and `count` events never reached `feed`."""
        raise NotImplementedError

    def set_peers(self, peers: Iterable[Peer]) -> None:
        """Replace the set of nodes whose observers Peer.Notify tells about (this one included)."""
        raise NotImplementedError
