"""What a node agent knows about addresses, as the flow log asks for it.

The agent implements EndpointLookup over its own caches. Every method is called for every event
on the reading thread: a dictionary look-up, no lock held for long, no I/O, never an exception.
Addresses are packed, in network byte order: 4 bytes (IPv4) or 16 bytes (IPv6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Workload:
    """The controller that owns a pod, such as ("web1", "Deployment")."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who stands behind an address. Immutable: flows keep a reference to it."""

    identity: int
    """Numeric security identity, 0 when unknown (see lab.hubble.identity)."""
    id: int = 0
    """Endpoint number on this node (its lxc id); 0 for anything that lives elsewhere."""
    namespace: str = ""
    pod: str = ""
    labels: tuple[str, ...] = ()
    """Identity labels with their source, such as "k8s:app=web1" or "reserved:host"."""
    workloads: tuple[Workload, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """A Kubernetes service, known by one of its frontends."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Peer:
    """A node whose flow log can be asked: the node's name and "host:port" of its observer."""

    name: str
    address: str


class Addresses(Protocol):
    """What is known of addresses, frontends and identities."""

    def endpoint(self, address: bytes) -> Endpoint | None:
        """The endpoint of a pod, a node or a router address; None for the rest of the world."""
        ...

    def labels(self, identity: int) -> tuple[str, ...]:
        """Labels of a numeric identity; empty when it is not known (reserved ones may be)."""
        ...

    def service(self, address: bytes, port: int) -> Service | None:
        """The service with the frontend address:port (host byte order); None when none has."""
        ...


class EndpointLookup(Addresses, Protocol):
    """What the node agent answers."""

    def now(self) -> Addresses:
        """What is known at this moment, for good; the same object until something changes."""
        ...

    def interface(self, index: int) -> str:
        """Name of the node's network interface; empty when there is none with this index."""
        ...
