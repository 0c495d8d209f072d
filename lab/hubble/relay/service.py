"""The Observer service of the relay: every request goes to all nodes, the answers come as one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from typing import Any

import grpc

from lab.errors import InputError
from lab.hubble.api import observer_pb2, relay_pb2
from lab.hubble.filters.compile import Context, compile_filters
from lab.hubble.relay.merge import Merge
from lab.hubble.relay.pool import Node, Pool
from lab.hubble.service import table as services
from lab.hubble.service.request import selection

PATIENCE = 1.0
"""Seconds that a stored flow waits for a node that has sent nothing yet."""

LIVE_PATIENCE = 0.2
"""The same when following: nodes read their events every few milliseconds."""

REQUEST_TIMEOUT = 2.0
"""Seconds for a node to answer a question that is no stream."""

_NOTHING = Context(
    node_of=lambda _: "",
    uuid_of=lambda _: "",
    interface_name=lambda _: "",
    message_of=lambda view: view.message,
)
"""Enough to see whether a request's filters can be understood."""


class RelayService:
    """observer.Observer over a pool of nodes. Runs on the relay's event loop."""

    def __init__(self, pool: Pool, name: str) -> None:
        """`name` is what the relay calls itself in its own messages."""
        self._pool = pool
        self._name = name

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {
            "GetFlows": self.get_flows,
            "GetNodes": self.get_nodes,
            "GetNamespaces": self.get_namespaces,
            "ServerStatus": self.server_status,
        }

    async def get_flows(
        self, request: observer_pb2.GetFlowsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        await _check(request, context)
        async for response in self.flows(request):
            yield response

    async def get_nodes(
        self, _request: observer_pb2.GetNodesRequest, _context: grpc.aio.ServicerContext
    ) -> observer_pb2.GetNodesResponse:
        return await self.nodes()

    async def get_namespaces(
        self, _request: observer_pb2.GetNamespacesRequest, _context: grpc.aio.ServicerContext
    ) -> observer_pb2.GetNamespacesResponse:
        return await self.namespaces()

    async def server_status(
        self, _request: observer_pb2.ServerStatusRequest, _context: grpc.aio.ServicerContext
    ) -> observer_pb2.ServerStatusResponse:
        return await self.status()

    async def flows(
        self, request: observer_pb2.GetFlowsRequest
    ) -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        """The flows of all nodes by time, and first which nodes take part."""
        await self._pool.settled()
        merge = Merge(LIVE_PATIENCE if request.follow else PATIENCE)
        connected = self._pool.connected()
        for status in self._statuses(connected, self._pool.unavailable()):
            yield status
        for node in connected:
            self._join(merge, node, request)
        joiner = asyncio.create_task(self._join_later(merge, request)) if request.follow else None
        try:
            async for response in merge.responses(endless=request.follow):
                yield response
        finally:
            merge.close()
            if joiner is not None:
                joiner.cancel()

    async def nodes(self) -> observer_pb2.GetNodesResponse:
        """Every node that was ever named, with its status when it answers."""
        nodes = [node for _, node in sorted(self._pool.nodes.items())]
        answers = await self._ask_all(nodes, "ServerStatus", observer_pb2.ServerStatusRequest())
        listed = []
        for node, answer in zip(nodes, answers, strict=True):
            message = observer_pb2.Node(name=node.name, address=node.address)
            message.tls.enabled = False
            message.state = relay_pb2.NODE_UNAVAILABLE
            if answer is not None:
                message.state = relay_pb2.NODE_CONNECTED
                message.version = answer.version
                message.uptime_ns = answer.uptime_ns
                message.num_flows = answer.num_flows
                message.max_flows = answer.max_flows
                message.seen_flows = answer.seen_flows
            listed.append(message)
        return observer_pb2.GetNodesResponse(nodes=listed)

    async def namespaces(self) -> observer_pb2.GetNamespacesResponse:
        """The namespaces of all nodes, each once, sorted."""
        asked = observer_pb2.GetNamespacesRequest()
        answers = await self._ask_all(self._pool.connected(), "GetNamespaces", asked)
        found = {
            (each.cluster, each.namespace)
            for answer in answers
            if answer is not None
            for each in answer.namespaces
        }
        return observer_pb2.GetNamespacesResponse(
            namespaces=[
                observer_pb2.Namespace(cluster=cluster, namespace=namespace)
                for cluster, namespace in sorted(found)
            ]
        )

    async def status(self) -> observer_pb2.ServerStatusResponse:
        """Sums over the nodes that answer; the uptime is the longest, the version the nodes'."""
        nodes = [node for _, node in sorted(self._pool.nodes.items())]
        answers = await self._ask_all(nodes, "ServerStatus", observer_pb2.ServerStatusRequest())
        silent = [n.name for n, answer in zip(nodes, answers, strict=True) if answer is None]
        good = [answer for answer in answers if answer is not None]
        status = observer_pb2.ServerStatusResponse(
            num_flows=sum(each.num_flows for each in good),
            max_flows=sum(each.max_flows for each in good),
            seen_flows=sum(each.seen_flows for each in good),
            uptime_ns=max((each.uptime_ns for each in good), default=0),
            flows_rate=sum(each.flows_rate for each in good),
            version=", ".join(sorted({each.version for each in good if each.version})),
            unavailable_nodes=silent,
        )
        status.num_connected_nodes.value = len(good)
        status.num_unavailable_nodes.value = len(silent)
        return status

    async def _ask_all(self, nodes: Iterable[Node], method: str, request: Any) -> Sequence[Any]:
        """Each node's answer, None for one that does not answer in time."""
        return await asyncio.gather(*(self._ask(node, method, request) for node in nodes))

    async def _ask(self, node: Node, method: str, request: Any) -> Any:
        if not node.connected:
            return None
        try:
            ask = services.call(node.channel, services.OBSERVER, method)
            return await ask(request, timeout=REQUEST_TIMEOUT)
        except grpc.aio.AioRpcError:
            return None

    def _join(self, merge: Merge, node: Node, request: observer_pb2.GetFlowsRequest) -> None:
        stream = services.call(node.channel, services.OBSERVER, "GetFlows")(request)
        merge.add(node.name, stream, partial(self._on_end, request.follow))

    async def _join_later(self, merge: Merge, request: observer_pb2.GetFlowsRequest) -> None:
        """While a client follows, take in the nodes that come (back), from their next flow on."""
        onward = observer_pb2.GetFlowsRequest()
        onward.CopyFrom(request)
        onward.number = 0
        onward.ClearField("since")
        while True:
            async with self._pool.changed:
                await self._pool.changed.wait()
                new = [node for node in self._pool.connected() if not merge.has(node.name)]
            if new:
                merge.notice(self._status(relay_pb2.NODE_CONNECTED, [n.name for n in new]))
            for node in new:
                self._join(merge, node, onward)

    def _on_end(
        self, follow: bool, name: str, error: BaseException | None
    ) -> observer_pb2.GetFlowsResponse | None:
        """What the client is told when a node's stream ends: nothing if that was in order.

        A stream that follows ends only because its node does.
        """
        if error is None:
            return self._status(relay_pb2.NODE_UNAVAILABLE, [name]) if follow else None
        if name not in self._pool.nodes:
            return self._status(relay_pb2.NODE_GONE, [name])
        if isinstance(error, grpc.aio.AioRpcError):
            if error.code() == grpc.StatusCode.CANCELLED:
                return None
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                return self._status(relay_pb2.NODE_UNAVAILABLE, [name])
            return self._status(relay_pb2.NODE_ERROR, [name], error.details() or "")
        return self._status(relay_pb2.NODE_ERROR, [name], str(error))

    def _statuses(
        self, connected: Sequence[Node], unavailable: Sequence[str]
    ) -> list[observer_pb2.GetFlowsResponse]:
        statuses = []
        if connected:
            names = [node.name for node in connected]
            statuses.append(self._status(relay_pb2.NODE_CONNECTED, names))
        if unavailable:
            statuses.append(self._status(relay_pb2.NODE_UNAVAILABLE, unavailable))
        return statuses

    def _status(
        self, state: Any, names: Sequence[str], message: str = ""
    ) -> observer_pb2.GetFlowsResponse:
        event = relay_pb2.NodeStatusEvent(state_change=state, node_names=names, message=message)
        response = observer_pb2.GetFlowsResponse(node_status=event, node_name=self._name)
        response.time.FromNanoseconds(time.time_ns())
        return response


async def _check(request: observer_pb2.GetFlowsRequest, context: grpc.aio.ServicerContext) -> None:
    """Refuse here what every node would refuse."""
    try:
        selection(request)
        compile_filters(request.whitelist, request.blacklist, _NOTHING)
    except InputError as exc:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(exc))
