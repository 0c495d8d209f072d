"""A watch: the changes of one kind as a stream of JSON lines."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from lab.kube import status
from lab.kube.store import Change, Key, Store, Stored

BACKLOG = 20_000
"""Changes a slow client may lag behind before its watch ends and it has to relist."""
BOOKMARK_EVERY = 30.0
LONGEST = 3600.0
"""Seconds."""
BURST, WINDOW = 20, 1.0
PACE = 0.05
"""A watch that sent so many batches within so many seconds sends the next no sooner than PACE after
the last: of a storm, each client gets few large pieces; a single change goes out at once."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Scope:
    """What a list or watch is about: a kind, perhaps of one namespace, perhaps selected."""

    kind: str
    namespace: str
    selected: Callable[[Key, Stored], bool]
    render: Callable[[Stored, bool], bytes]
    """Bytes of one object in a watch; the flag marks the first one (tables name columns once)."""
    bookmark: Callable[[int, bool], bytes]


@dataclass(frozen=True)
class Start:
    """Where a watch begins and how long it lasts."""

    revision: int | None
    """Changes after this one; None begins with all objects there are."""
    initial: bool = False
    """Send the objects there are, then a bookmark that says so (a streaming list)."""
    bookmarks: bool = False
    seconds: float = LONGEST


@dataclass
class Watch:
    """One client's stream; `lines` is what the connection sends."""

    store: Store
    scope: Scope
    start: Start
    _pending: deque[Change] = field(default_factory=deque)
    _due: asyncio.Event = field(default_factory=asyncio.Event)
    _sent_any: bool = False
    _sent_at: deque[float] = field(default_factory=lambda: deque(maxlen=BURST))

    def check(self) -> None:
        """410 when the history does not reach back; call it before the stream starts."""
        wanted = self.start.revision
        if wanted is not None and self.store.since(wanted) is None:
            raise status.expired(f"too old resource version: {wanted} ({self.store.revision})")

    async def lines(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        end = loop.time() + min(self.start.seconds, LONGEST) * random.uniform(0.95, 1.0)
        first = list(self._first())
        self.store.listen(self._heard)
        try:
            if first:
                yield b"".join(first)
            while loop.time() < end and len(self._pending) < BACKLOG:
                if bookmark := await self._sleep(end):
                    yield bookmark
                if batch := b"".join(self._drain()):
                    self._sent_at.append(loop.time())
                    yield batch
        finally:
            self.store.ignore(self._heard)

    def _first(self) -> Iterable[bytes]:
        if self.start.revision is not None:
            for change in self.store.since(self.start.revision) or ():
                yield from self._event(change)
        else:
            for key, stored in self.store.all(self.scope.kind, self.scope.namespace):
                if self.scope.selected(key, stored):
                    yield self._line(b"ADDED", stored)
        if self.start.initial:
            yield self.scope.bookmark(self.store.revision, True)

    async def _sleep(self, end: float) -> bytes:
        """Wait until changes are due; a bookmark (or nothing) when none comes for a while."""
        timeout = min(BOOKMARK_EVERY, max(end - asyncio.get_running_loop().time(), 0))
        try:
            await asyncio.wait_for(self._due.wait(), timeout)
        except asyncio.TimeoutError:
            # A bookmark stands for everything before it: never ahead of changes that still wait.
            if self.start.bookmarks and not self._pending:
                return self.scope.bookmark(self.store.revision, False)
        self._due.clear()
        return b""

    def _heard(self, change: Change) -> None:
        scope = self.scope
        if change.kind != scope.kind or scope.namespace not in ("", change.key[0]):
            return
        if not self._pending:
            loop = asyncio.get_running_loop()
            now = loop.time()
            stormy = len(self._sent_at) == BURST and now - self._sent_at[0] < WINDOW
            loop.call_at(self._sent_at[-1] + PACE if stormy else now, self._due.set)
        self._pending.append(change)

    def _drain(self) -> Iterable[bytes]:
        while self._pending:
            yield from self._event(self._pending.popleft())

    def _event(self, change: Change) -> Iterable[bytes]:
        scope = self.scope
        if change.kind != scope.kind or scope.namespace not in ("", change.key[0]):
            return
        was = change.old is not None and scope.selected(change.key, change.old)
        now = change.new is not None and scope.selected(change.key, change.new)
        if now and change.new:
            yield self._line(b"MODIFIED" if was else b"ADDED", change.new)
        elif was:
            # An object that stops matching is told as it became, like one that is gone.
            last = change.gone or change.new
            assert last is not None
            yield self._line(b"DELETED", last)

    def _line(self, kind: bytes, stored: Stored) -> bytes:
        body = self.scope.render(stored, not self._sent_any)
        self._sent_any = True
        return b'{"type":"' + kind + b'","object":' + body + b"}\n"


def bookmark(api_version: str, kind: str, revision: int, initial: bool) -> bytes:
    """A BOOKMARK line: an empty object that carries a revision to resume from."""
    meta: dict[str, object] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    obj = {"kind": kind, "apiVersion": api_version, "metadata": meta}
    return _encode({"type": "BOOKMARK", "object": obj}) + b"\n"
