"""The standard gRPC health check. A server that answers at all is serving."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc

from lab.hubble.api import health_pb2
from lab.hubble.service.table import HEALTH_NAME

NAMES = frozenset({"", HEALTH_NAME})
"""Services that there are: the server as a whole, and the one that Hubble's clients ask for."""

_Response = health_pb2.HealthCheckResponse


class Health:
    """grpc.health.v1.Health."""

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"Check": self.check, "Watch": self.watch}

    def check(
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        if request.service not in NAMES:
            context.abort(grpc.StatusCode.NOT_FOUND, f"unknown service {request.service!r}")
        return _Response(status=_Response.SERVING)

    def watch(
        self, request: health_pb2.HealthCheckRequest, _context: grpc.ServicerContext
    ) -> Iterator[health_pb2.HealthCheckResponse]:
        """The state as of now; it does not change while the server lives, so the stream ends."""
        known = request.service in NAMES
        yield _Response(status=_Response.SERVING if known else _Response.SERVICE_UNKNOWN)


class AsyncHealth:
    """The same for a server on an event loop."""

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"Check": self.check, "Watch": self.watch}

    async def check(
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        if request.service not in NAMES:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"unknown service {request.service!r}")
        return _Response(status=_Response.SERVING)

    async def watch(
        self, request: health_pb2.HealthCheckRequest, _context: grpc.aio.ServicerContext
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        known = request.service in NAMES
        yield _Response(status=_Response.SERVING if known else _Response.SERVICE_UNKNOWN)
