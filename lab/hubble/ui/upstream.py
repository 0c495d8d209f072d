"""Where the hub's flows come from: a relay elsewhere, or one inside this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import grpc

from lab.hubble.api import observer_pb2
from lab.hubble.relay.pool import OPTIONS, Pool
from lab.hubble.relay.service import RelayService
from lab.hubble.service import table as services

TIMEOUT = 5.0
"""Seconds for an answer that is no stream."""


class RemoteRelay:
    """A relay at an address."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._channel: grpc.aio.Channel | None = None

    def flows(
        self, request: observer_pb2.GetFlowsRequest
    ) -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        stream: AsyncIterator[observer_pb2.GetFlowsResponse] = self._call("GetFlows")(request)
        return stream

    async def status(self) -> observer_pb2.ServerStatusResponse:
        request = observer_pb2.ServerStatusRequest()
        answer: observer_pb2.ServerStatusResponse = await self._call("ServerStatus")(
            request, timeout=TIMEOUT
        )
        return answer

    async def namespaces(self) -> Sequence[str]:
        request = observer_pb2.GetNamespacesRequest()
        answer = await self._call("GetNamespaces")(request, timeout=TIMEOUT)
        return [each.namespace for each in answer.namespaces]

    def _call(self, method: str) -> services.Call:
        if self._channel is None:
            # Not before the event loop runs: the channel belongs to it.
            self._channel = grpc.aio.insecure_channel(self._address, options=OPTIONS)
        return services.call(self._channel, services.OBSERVER, method)


class OwnRelay:
    """The relay's own code over a pool of nodes, without a network between."""

    def __init__(self, pool: Pool) -> None:
        self._relay = RelayService(pool, "hubble-ui")

    def flows(
        self, request: observer_pb2.GetFlowsRequest
    ) -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        return self._relay.flows(request)

    async def status(self) -> observer_pb2.ServerStatusResponse:
        return await self._relay.status()

    async def namespaces(self) -> Sequence[str]:
        return [each.namespace for each in (await self._relay.namespaces()).namespaces]
