"""The newest flows of the cluster, held once for all browsers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
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
"""Stored flows asked of each node at the start."""

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
    """Reads the upstream for ever; tells every listener of every flow."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._kept: deque[MessageView] = deque(maxlen=KEPT)
        self._listeners: set[Listener] = set()
        self._arrivals: deque[tuple[float, int]] = deque()
        self.cluster = Cluster()
        self.lost = 0

    def join(self, listener: Listener) -> None:
        """Tell the listener of the kept flows, oldest first, and of all that come."""
        for view in self._kept:
            listener.take(view)
        self._listeners.add(listener)

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def find(self, uuid: str) -> flow_pb2.Flow | None:
        """A kept flow by its id."""
        return next((v.message for v in reversed(self._kept) if v.message.uuid == uuid), None)

    def rate(self) -> float:
        """Flows a second of the last few seconds."""
        now = time.monotonic()
        while self._arrivals and self._arrivals[0][0] < now - RATE_WINDOW:
            self._arrivals.popleft()
        return sum(count for _, count in self._arrivals) / RATE_WINDOW

    async def read(self) -> None:
        """Follow the upstream; when it goes away, try again and go on from there."""
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
        """Keep `cluster` up to date."""
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

    def _take(self, response: observer_pb2.GetFlowsResponse) -> None:
        if response.HasField("lost_events"):
            self.lost += response.lost_events.num_events_lost
        if not response.HasField("flow"):
            return
        self._count()
        view = MessageView(response.flow)
        self._kept.append(view)
        for listener in self._listeners:
            listener.take(view)

    def _count(self) -> None:
        """One arrival, gathered in tenths of a second."""
        now = round(time.monotonic(), 1)
        if self._arrivals and self._arrivals[-1][0] == now:
            self._arrivals[-1] = (now, self._arrivals[-1][1] + 1)
        else:
            self._arrivals.append((now, 1))


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
