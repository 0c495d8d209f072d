"""Streams of several nodes as one, in the order of time.

Every stream is in order by itself, so that the earliest of their first responses comes next as
soon as each stream has one. A stream that has nothing to say must not hold up the others: after
`patience` seconds the earliest response goes out all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass, field

import grpc

from lab.hubble.api import observer_pb2

Response = observer_pb2.GetFlowsResponse

AHEAD = 100
"""Responses of one node that may wait; then its stream is not read until there is room."""


@dataclass
class Source:
    """One node's stream: its responses in order, each with the time it arrived."""

    name: str
    waiting: deque[tuple[float, Response]] = field(default_factory=deque)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False


class Merge:
    """Collects streams, even while it is being read, and gives their responses in order."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._sources: dict[str, Source] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._notices: deque[Response] = deque()
        self._changed = asyncio.Event()

    def add(
        self,
        name: str,
        stream: AsyncIterable[Response],
        on_end: Callable[[str, BaseException | None], Response | None],
    ) -> None:
        """Take in a node's stream; when it ends, `on_end` may say something about it."""
        source = Source(name)
        self._sources[name] = source
        task = asyncio.create_task(self._pump(source, stream, on_end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def has(self, name: str) -> bool:
        """Whether this node's stream is still open."""
        return name in self._sources

    def notice(self, response: Response) -> None:
        """Send a response of the relay's own, before anything that waits."""
        self._notices.append(response)
        self._changed.set()

    def close(self) -> None:
        """Stop reading all streams."""
        for task in self._tasks:
            task.cancel()

    async def responses(self, *, endless: bool) -> AsyncIterator[Response]:
        """Everything, in order; ends with the last stream unless more may come (`endless`)."""
        while True:
            self._changed.clear()
            while self._notices:
                yield self._notices.popleft()
            first = self._first()
            if first is None and not self._sources and not endless:
                return
            delay = self._delay(first)
            if first is not None and delay == 0:
                yield self._take(first)
            else:
                await self._change(delay)

    def _first(self) -> Source | None:
        """The source whose next response is the earliest."""
        ready = [source for source in self._sources.values() if source.waiting]
        return min(ready, key=lambda source: _at(source.waiting[0][1]), default=None)

    def _delay(self, first: Source | None) -> float | None:
        """Seconds until the earliest response may go; None: nothing to send, 0: now."""
        if first is None:
            return None
        if all(source.waiting or source.ended for source in self._sources.values()):
            return 0
        arrived = first.waiting[0][0]
        return max(0.0, arrived + self._patience - time.monotonic())

    def _take(self, source: Source) -> Response:
        _, response = source.waiting.popleft()
        source.room.set()
        if source.ended and not source.waiting:
            self._forget(source)
        return response

    async def _change(self, timeout: float | None) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except asyncio.TimeoutError:
            return

    async def _pump(
        self,
        source: Source,
        stream: AsyncIterable[Response],
        on_end: Callable[[str, BaseException | None], Response | None],
    ) -> None:
        error: BaseException | None = None
        try:
            async for response in stream:
                while len(source.waiting) >= AHEAD:
                    source.room.clear()
                    await source.room.wait()
                source.waiting.append((time.monotonic(), response))
                self._changed.set()
        except grpc.aio.AioRpcError as exc:
            error = exc
        source.ended = True
        last_word = on_end(source.name, error)
        if last_word is not None:
            self._notices.append(last_word)
        if not source.waiting:
            self._forget(source)
        self._changed.set()

    def _forget(self, source: Source) -> None:
        if self._sources.get(source.name) is source:
            del self._sources[source.name]


def _at(response: Response) -> tuple[int, int]:
    return response.time.seconds, response.time.nanos
