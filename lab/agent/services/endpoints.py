"""Endpoint slices -> backends of one service port, everywhere and on one node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from lightkube.models.core_v1 import ServicePort
from lightkube.models.discovery_v1 import Endpoint, EndpointConditions, EndpointSlice

from lab.agent.services.model import Backend, Protocol

READY = EndpointConditions(ready=True)


@dataclass(frozen=True)
class Backends:
    """Backends in the order of their slots."""

    active: tuple[Backend, ...] = ()
    """Take new connections."""
    terminating: tuple[Backend, ...] = ()
    """Keep the connections they have, and take new ones when there is nobody else."""


@dataclass(frozen=True)
class Endpoints:
    """The backends of one port for both traffic policies."""

    everywhere: Backends
    local: Backends


def endpoints(
    slices: Sequence[EndpointSlice],
    port: ServicePort,
    *,
    node: str,
    graceful: bool,
    version: int = 4,
) -> Endpoints:
    """The backends of a service's port that have an address of an IP version.

    `graceful`: endpoints that terminate count, as long as they serve.
    """
    offered = _matching(_of_version(slices, version), port)
    found = [(backend, of) for backend, of in offered if backend.address.version == version]
    local = [(backend, endpoint) for backend, endpoint in found if endpoint.nodeName == node]
    return Endpoints(_backends(found, graceful), _backends(local, graceful))


def ready_count(
    slices: Sequence[EndpointSlice], node: str | None = None, *, version: int = 4
) -> int:
    """How many endpoints of an IP version take new connections; with `node`, on that node."""
    return len(
        {
            address
            for piece in _of_version(slices, version)
            for endpoint in piece.endpoints or ()
            if _ready(endpoint) and node in (None, endpoint.nodeName)
            for address in endpoint.addresses
        }
    )


def _of_version(slices: Sequence[EndpointSlice], version: int) -> list[EndpointSlice]:
    return [piece for piece in slices if piece.addressType == f"IPv{version}"]


def _matching(
    slices: Sequence[EndpointSlice], port: ServicePort
) -> Iterator[tuple[Backend, Endpoint]]:
    protocol = port.protocol or "TCP"
    for piece in slices:
        for offered in piece.ports or ():
            same = (offered.name or "") == (port.name or "")
            if not same or offered.port is None or (offered.protocol or "TCP") != protocol:
                continue
            for endpoint in piece.endpoints or ():
                for text in endpoint.addresses:
                    yield Backend(ip_address(text), offered.port, Protocol[protocol]), endpoint


def _backends(found: Sequence[tuple[Backend, Endpoint]], graceful: bool) -> Backends:
    active = {backend for backend, endpoint in found if _ready(endpoint)}
    ending = {backend for backend, endpoint in found if graceful and _ending(endpoint)} - active
    return Backends(_ordered(active), _ordered(ending))


def _ready(endpoint: Endpoint) -> bool:
    return (endpoint.conditions or READY).ready is not False


def _ending(endpoint: Endpoint) -> bool:
    conditions = endpoint.conditions or READY
    return bool(conditions.terminating) and conditions.serving is not False


def _ordered(backends: set[Backend]) -> tuple[Backend, ...]:
    return tuple(sorted(backends, key=lambda b: (int(b.address), b.port)))
