"""The gRPC services in a table: method, messages, and whether the answer is a stream.

Servers and clients are both made from it; no generated service code is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from lab.hubble.api import health_pb2, observer_pb2, peer_pb2, recorder_pb2

Call = Callable[..., Any]
"""A remote procedure as a function of its request."""

OBSERVER = "observer.Observer"
PEER = "peer.Peer"
HEALTH = "grpc.health.v1.Health"
RECORDER = "recorder.Recorder"

HEALTH_NAME = "hubble.server.Observer"
"""What `hubble status` asks the health service about."""


@dataclass(frozen=True)
class Method:
    """One remote procedure; a client that streams sends any number of requests."""

    request: Any
    response: Any
    streams: bool = False
    client_streams: bool = False


SERVICES: Mapping[str, Mapping[str, Method]] = {
    OBSERVER: {
        "GetFlows": Method(observer_pb2.GetFlowsRequest, observer_pb2.GetFlowsResponse, True),
        "GetAgentEvents": Method(
            observer_pb2.GetAgentEventsRequest, observer_pb2.GetAgentEventsResponse, True
        ),
        "GetDebugEvents": Method(
            observer_pb2.GetDebugEventsRequest, observer_pb2.GetDebugEventsResponse, True
        ),
        "GetNodes": Method(observer_pb2.GetNodesRequest, observer_pb2.GetNodesResponse),
        "GetNamespaces": Method(
            observer_pb2.GetNamespacesRequest, observer_pb2.GetNamespacesResponse
        ),
        "ServerStatus": Method(observer_pb2.ServerStatusRequest, observer_pb2.ServerStatusResponse),
    },
    PEER: {
        "Notify": Method(peer_pb2.NotifyRequest, peer_pb2.ChangeNotification, True),
    },
    HEALTH: {
        "Check": Method(health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse),
        "Watch": Method(health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse, True),
    },
    RECORDER: {
        "Record": Method(
            recorder_pb2.RecordRequest, recorder_pb2.RecordResponse, True, client_streams=True
        ),
    },
}


def handler(service: str, methods: Mapping[str, Callable[..., Any]]) -> grpc.GenericRpcHandler:
    """What a server needs to answer `service` with the given functions (or coroutines)."""
    handlers = {}
    for name, function in methods.items():
        method = SERVICES[service][name]
        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[method.client_streams, method.streams]
        handlers[name] = make(
            function,
            request_deserializer=method.request.FromString,
            response_serializer=method.response.SerializeToString,
        )
    return grpc.method_handlers_generic_handler(service, handlers)


def call(channel: Any, service: str, name: str) -> Call:
    """The client's side of one procedure, on a blocking or an asyncio channel."""
    method = SERVICES[service][name]
    make = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, True): channel.stream_stream,
    }[method.client_streams, method.streams]
    multicallable: Call = make(
        f"/{service}/{name}",
        request_serializer=method.request.SerializeToString,
        response_deserializer=method.response.FromString,
    )
    return multicallable
