"""The Observer service of one node, answered out of its rings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from lab.errors import InputError
from lab.hubble.agent_events import AgentEvent, DebugEvent
from lab.hubble.api import flow_pb2, observer_pb2, relay_pb2
from lab.hubble.filters import compile as filters
from lab.hubble.observer import Lost, Observer
from lab.hubble.query import Missed, Selection, select
from lab.hubble.record import Record
from lab.hubble.service import event_messages, request


class NodeService:
    """observer.Observer over one Observer. Every method runs on a thread of the server."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {
            "GetFlows": self.get_flows,
            "GetAgentEvents": self.get_agent_events,
            "GetDebugEvents": self.get_debug_events,
            "GetNodes": self.get_nodes,
            "GetNamespaces": self.get_namespaces,
            "ServerStatus": self.server_status,
        }

    def get_flows(
        self, asked: observer_pb2.GetFlowsRequest, context: grpc.ServicerContext
    ) -> Iterator[observer_pb2.GetFlowsResponse]:
        """Flows that match, and in their place among them what was lost."""
        try:
            selection = request.selection(asked, self._matcher(asked))
        except InputError as exc:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(exc))
        mask = request.mask_of(asked)
        ring = self._observer.flows
        for value in select(ring, selection, listening=context.is_active):
            if isinstance(value, Record):
                flow = request.apply_mask(self._observer.writer.write(value), mask)
                yield self._response(value.at, flow=flow)
            else:
                yield self._lost(value)

    def get_agent_events(
        self, asked: observer_pb2.GetAgentEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[observer_pb2.GetAgentEventsResponse]:
        selection = _selection_or_abort(asked, context)
        ring = self._observer.agent_events
        for value in select(ring, selection, listening=context.is_active):
            if isinstance(value, AgentEvent):
                response = observer_pb2.GetAgentEventsResponse(
                    agent_event=event_messages.agent_event(value),
                    node_name=self._observer.node_name,
                )
                response.time.FromNanoseconds(value.at)
                yield response

    def get_debug_events(
        self, asked: observer_pb2.GetDebugEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[observer_pb2.GetDebugEventsResponse]:
        selection = _selection_or_abort(asked, context)
        ring = self._observer.debug_events
        for value in select(ring, selection, listening=context.is_active):
            if isinstance(value, DebugEvent):
                response = observer_pb2.GetDebugEventsResponse(
                    debug_event=event_messages.debug_event(value),
                    node_name=self._observer.node_name,
                )
                response.time.FromNanoseconds(value.at)
                yield response

    def get_nodes(
        self, _asked: observer_pb2.GetNodesRequest, context: grpc.ServicerContext
    ) -> observer_pb2.GetNodesResponse:
        """This node alone: only a relay knows of others."""
        status = self.server_status(observer_pb2.ServerStatusRequest(), context)
        node = observer_pb2.Node(
            name=self._observer.node_name,
            version=status.version,
            state=relay_pb2.NODE_CONNECTED,
            uptime_ns=status.uptime_ns,
            num_flows=status.num_flows,
            max_flows=status.max_flows,
            seen_flows=status.seen_flows,
        )
        return observer_pb2.GetNodesResponse(nodes=[node])

    def get_namespaces(
        self, _asked: observer_pb2.GetNamespacesRequest, _context: grpc.ServicerContext
    ) -> observer_pb2.GetNamespacesResponse:
        names = self._observer.namespaces()
        return observer_pb2.GetNamespacesResponse(
            namespaces=[observer_pb2.Namespace(cluster="default", namespace=n) for n in names]
        )

    def server_status(
        self, _asked: observer_pb2.ServerStatusRequest, _context: grpc.ServicerContext
    ) -> observer_pb2.ServerStatusResponse:
        flows = self._observer.flows
        return observer_pb2.ServerStatusResponse(
            num_flows=len(flows),
            max_flows=flows.capacity,
            seen_flows=flows.written,
            uptime_ns=time.time_ns() - self._observer.started,
            version=self._observer.version,
            flows_rate=self._observer.rate(),
        )

    def _matcher(
        self, asked: observer_pb2.GetFlowsRequest
    ) -> Callable[[Record | Lost], bool] | None:
        """The request's filters; what was lost passes them all."""
        observer = self._observer
        context = filters.Context(
            node_of=lambda _flow: observer.node_name,
            uuid_of=observer.writer.uuid,
            interface_name=observer.lookup.interface,
            message_of=observer.writer.write,
            node_labels=observer.node_labels,
        )
        passes = filters.compile_filters(asked.whitelist, asked.blacklist, context)
        if passes is None:
            return None
        return lambda value: isinstance(value, Lost) or passes(value)

    def _lost(self, value: Lost | Missed) -> observer_pb2.GetFlowsResponse:
        if isinstance(value, Missed):
            self._observer.missed_flows += value.count
            lost = flow_pb2.LostEvent(
                source=flow_pb2.HUBBLE_RING_BUFFER, num_events_lost=value.count
            )
            return self._response(time.time_ns(), lost_events=lost)
        lost = flow_pb2.LostEvent(
            source=flow_pb2.PERF_EVENT_RING_BUFFER, num_events_lost=value.count
        )
        if value.cpu is not None:
            lost.cpu.value = value.cpu
        return self._response(value.at, lost_events=lost)

    def _response(self, at: int, **content: Any) -> observer_pb2.GetFlowsResponse:
        response = observer_pb2.GetFlowsResponse(node_name=self._observer.node_name, **content)
        response.time.FromNanoseconds(at)
        return response


def _selection_or_abort(asked: Any, context: grpc.ServicerContext) -> Selection[Any]:
    try:
        return request.selection(asked)
    except InputError as exc:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(exc))
        raise
