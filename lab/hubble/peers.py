"""The set of nodes with an observer, and what changed in it: the source of Peer.Notify."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab.hubble.lookup import Peer

ADDED, DELETED, UPDATED = 1, 2, 3
"""peer.ChangeNotificationType."""


@dataclass(frozen=True, slots=True)
class Change:
    """One peer and what happened to it."""

    kind: int
    peer: Peer


class PeerBook:
    """The current peers. Watchers get the whole set first, then every change in order."""

    def __init__(self) -> None:
        self._peers: dict[str, Peer] = {}
        self._version = 0
        self._closed = False
        self._changed = threading.Condition()

    def replace(self, peers: Iterable[Peer]) -> None:
        """Make `peers` the current set; no change when it is the same."""
        wanted = {peer.name: peer for peer in peers}
        with self._changed:
            if wanted != self._peers:
                self._peers = wanted
                self._version += 1
                self._changed.notify_all()

    def close(self) -> None:
        """End every watch."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def watch(self, poll: float = 1.0) -> Iterator[Change | None]:
        """Changes, beginning with every peer as ADDED; None at least each `poll` seconds.

        The None lets the caller notice that nobody listens any more. A watcher that is slow sees
        the difference between the sets, not every step between them.
        """
        seen: dict[str, Peer] = {}
        version = -1
        while True:
            found = self._next(version, poll)
            if found is None:
                return
            version, current = found
            yield from differences(seen, current)
            yield None
            seen = current

    def _next(self, known: int, poll: float) -> tuple[int, dict[str, Peer]] | None:
        """The set once its version differs from `known` or `poll` s passed; None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._version != known, poll)
            return None if self._closed else (self._version, dict(self._peers))


def differences(before: dict[str, Peer], after: dict[str, Peer]) -> list[Change]:
    """What turns one set of peers into the other: deletions first, each part by name."""
    gone = [Change(DELETED, before[name]) for name in sorted(before.keys() - after.keys())]
    new = [Change(ADDED, after[name]) for name in sorted(after.keys() - before.keys())]
    moved = [
        Change(UPDATED, after[name])
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    ]
    return gone + moved + new
