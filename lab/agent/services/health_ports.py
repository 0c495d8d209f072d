"""healthCheckNodePort: load balancers outside ask each node whether it has a backend of its own.

Contract of Kubernetes' service proxies: HTTP 200 with a local endpoint, else 503, and in both
cases a JSON object with the service's name and the number of local endpoints, which a header
tells as well.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lightkube.resources.core_v1 import Service
from lightkube.resources.discovery_v1 import EndpointSlice

from lab.agent.services.endpoints import ready_count
from lab.agent.services.translate import versions

log = logging.getLogger(__name__)

REQUEST_BOUND = 5.0
REQUEST_SIZE = 16 * 1024
"""Seconds and bytes that a client may take for its request."""


@dataclass(frozen=True)
class Health:
    """What the port of one service tells."""

    namespace: str
    name: str
    local_endpoints: int


def wanted_ports(
    services: Iterable[Service], slices_of: Callable[[str], Sequence[EndpointSlice]], node: str
) -> dict[int, Health]:
    """The port of every service with externalTrafficPolicy Local that has one. Pure."""
    found = {}
    for service in services:
        meta, spec = service.metadata, service.spec
        if meta is None or spec is None or not spec.healthCheckNodePort:
            continue
        slices, main = slices_of(f"{meta.namespace}/{meta.name}"), versions(spec)[0]
        count = ready_count(slices, node, version=main)
        found[spec.healthCheckNodePort] = Health(meta.namespace or "", meta.name or "", count)
    return found


class HealthPorts:
    """One small HTTP server for each port, on the unspecified address of each IP version."""

    def __init__(self, versions: Iterable[int] = (4,)) -> None:
        self._hosts = ["0.0.0.0" if version == 4 else "::" for version in versions]
        self._health: Mapping[int, Health] = {}
        self._servers: dict[int, asyncio.Server] = {}

    async def set(self, health: Mapping[int, Health]) -> None:
        """Serve exactly these ports from now on."""
        self._health = health
        for port in self._servers.keys() - health.keys():
            self._servers.pop(port).close()
        for port in health.keys() - self._servers.keys():
            try:
                self._servers[port] = await self._listen(port)
            except OSError as error:
                log.warning("healthCheckNodePort %d: %s", port, error)

    async def _listen(self, port: int) -> asyncio.Server:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_BOUND)
                health = self._health.get(port)
                if health is not None:  # or the service went while its client was asking
                    writer.write(_answer(health))
                    await writer.drain()
            except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError) as error:
                log.debug("health port %d: %s", port, error)
            finally:
                writer.close()

        return await asyncio.start_server(answer, self._hosts, port, limit=REQUEST_SIZE)


def _answer(health: Health) -> bytes:
    body = json.dumps(
        {
            "service": {"namespace": health.namespace, "name": health.name},
            "localEndpoints": health.local_endpoints,
        }
    ).encode()
    status = "200 OK" if health.local_endpoints else "503 Service Unavailable"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"X-Content-Type-Options: nosniff\r\n"
        f"X-Load-Balancing-Endpoint-Weight: {health.local_endpoints}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
