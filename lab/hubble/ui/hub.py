"""The newest flows of the cluster, held once for all browsers, and only while there are any.

Following means that every node puts every flow on the wire: at a thousand connections a second
more than a processor's worth of work, which nobody would look at.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from lab.hubble.api import flow_pb2, observer_pb2
from lab.hubble.filters.message_view import MessageView

LOG = logging.getLogger("hubble-ui")

KEPT = 3000
"""Flows kept for browsers that come or change their filters."""

FIRST = 500
"""Stored flows asked of each node when somebody begins to look."""

LINGER = 30.0
"""Seconds for which flows are still followed after the last look: pages are reloaded."""

RATE_WINDOW = 5.0
"""Seconds over which flows a second are counted."""

RETRY = 1.0


class Upstream(Protocol):
    """Where flows come from: a relay, here or elsewhere."""

    def flows(
        self, request: observer_pb2.GetFlowsRequest
    ) -> AsyncIterator[observer_pb2.GetFlowsResponse]: ...

    async def status(self) -> observer_pb2.ServerStatusResponse: ...

    async def namespaces(self) -> Sequence[str]: ...


class Listener(Protocol):
    """A browser's view."""

    def take(self, view: MessageView) -> None:
        """One more flow."""
        ...


@dataclass
class Cluster:
    """What is known of the nodes."""

    connected: int = 0
    unavailable: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    reachable: bool = False
    """Whether the upstream answered at last."""


class Hub:
    """Reads the upstream while anybody looks; tells every listener of every flow."""

    def __init__(self, upstream: Upstream, *, linger: float = LINGER) -> None:
        self._upstream = upstream
        self._linger = linger
        self._kept: deque[MessageView] = deque(maxlen=KEPT)
        self._listeners: set[Listener] = set()
        self._per_tenth: Counter[int] = Counter()
        """Flows by the tenth of a second (Unix time) in which they were seen."""
        self._looked_at = asyncio.Event()
        self._last_look = 0.0
        self.cluster = Cluster()
        self.lost = 0

    def look(self) -> None:
        """Somebody opens the page: what it will ask for can come already."""
        self._last_look = time.monotonic()
        self._looked_at.set()

    def join(self, listener: Listener) -> None:
        """Tell the listener of the kept flows, oldest first, and of all that come."""
        self.look()
        for view in self._kept:
            listener.take(view)
        self._listeners.add(listener)

    def leave(self, listener: Listener) -> None:
        self._last_look = time.monotonic()
        self._listeners.discard(listener)

    def find(self, uuid: str) -> flow_pb2.Flow | None:
        """A kept flow by its id."""
        return next((v.message for v in reversed(self._kept) if v.message.uuid == uuid), None)

    def rate(self) -> float:
        """Flows a second of the last few seconds, by the time at which they were seen."""
        begin = (time.time() - RATE_WINDOW) * 10
        for tenth in [each for each in self._per_tenth if each < begin]:
            del self._per_tenth[tenth]
        return self._per_tenth.total() / RATE_WINDOW

    async def read(self) -> None:
        """Follow the upstream for as long as anybody looks, again and again."""
        while True:
            await self._looked_at.wait()
            self._kept.clear()
            self._per_tenth.clear()
            following = asyncio.create_task(self._follow())
            try:
                while self._is_looked_at():
                    await asyncio.wait([following], timeout=self._linger)
                    if following.done():
                        following.result()  # raises what ended it
            finally:
                following.cancel()
            self._looked_at.clear()

    def _is_looked_at(self) -> bool:
        return bool(self._listeners) or time.monotonic() - self._last_look < self._linger

    async def _follow(self) -> None:
        """When the upstream goes away, try again and go on from there."""
        request = observer_pb2.GetFlowsRequest(number=FIRST, follow=True)
        while True:
            try:
                async for response in self._upstream.flows(request):
                    self._take(response)
            except grpc.aio.AioRpcError as exc:
                LOG.warning("flows: %s", exc.details())
            request = observer_pb2.GetFlowsRequest(follow=True)
            await asyncio.sleep(RETRY)

    async def watch(self) -> None:
        """Keep `cluster` up to date while anybody looks; the first one finds it known."""
        while True:
            try:
                status = await self._upstream.status()
                namespaces = await self._upstream.namespaces()
                self.cluster = Cluster(
                    connected=status.num_connected_nodes.value,
                    unavailable=tuple(sorted(status.unavailable_nodes)),
                    namespaces=tuple(sorted(namespaces)),
                    reachable=True,
                )
            except grpc.aio.AioRpcError as exc:
                LOG.warning("status: %s", exc.details())
                self.cluster = Cluster(namespaces=self.cluster.namespaces)
            await asyncio.sleep(RETRY)
            await self._looked_at.wait()

    def _take(self, response: observer_pb2.GetFlowsResponse) -> None:
        if response.HasField("lost_events"):
            self.lost += response.lost_events.num_events_lost
        if not response.HasField("flow"):
            return
        at = response.flow.time
        self._per_tenth[at.seconds * 10 + at.nanos // 10**8] += 1
        view = MessageView(response.flow)
        self._kept.append(view)
        for listener in self._listeners:
            listener.take(view)


def describe(cluster: Cluster, rate: float, lost: int) -> dict[str, Any]:
    """The state of the cluster for the page."""
    return {
        "rate": round(rate, 1),
        "connected": cluster.connected,
        "total": cluster.connected + len(cluster.unavailable),
        "unavailable": list(cluster.unavailable),
        "namespaces": list(cluster.namespaces),
        "reachable": cluster.reachable,
        "lost": lost,
    }
