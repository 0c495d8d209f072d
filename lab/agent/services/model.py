"""What the load balancer balances: frontends, their backends, and how they are used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from lab.bpf.codes import Algorithm, Scope

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network


class Protocol(IntEnum):
    """Transport protocols by their IANA number; ANY stands for all of them in wildcard keys."""

    ANY = 0
    TCP = 6
    UDP = 17
    SCTP = 132


class Kind(str, Enum):
    """Why a frontend exists."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"
    EXTERNAL_IPS = "ExternalIPs"


@dataclass(frozen=True)
class Frontend:
    """An address and port that clients use, in one scope."""

    address: Address
    port: int
    protocol: Protocol
    scope: Scope = Scope.EXTERNAL


@dataclass(frozen=True)
class Backend:
    """An address and port that answers."""

    address: Address
    port: int
    protocol: Protocol


@dataclass(frozen=True)
class Slot:
    """The place of a frontend in its service: known before the frontend has an address.

    A slot has an id of reverse NAT until its frontend gets it, so that every node numbers services
    alike whether it saw the address come late or at once.
    """

    service: str
    """namespace/name"""
    port: str
    kind: Kind
    index: int = 0
    scope: Scope = Scope.EXTERNAL


@dataclass(frozen=True)
class Settings:
    """How a service is balanced: the same for all its frontends."""

    local_external: bool = False
    local_internal: bool = False
    affinity: int = 0
    """Seconds that a client stays with its backend; 0 for none."""
    source_ranges: tuple[Prefix, ...] = ()
    """Sources that frontends open to the outside accept; empty for all."""
    ranges_deny: bool = False
    """`source_ranges` are refused instead, and all others accepted."""
    algorithm: Algorithm = Algorithm.DEFAULT
    dsr: bool = False

    @property
    def two_scopes(self) -> bool:
        return self.local_external != self.local_internal


@dataclass(frozen=True)
class Balanced:
    """One frontend with its backends, ready to become map entries."""

    slot: Slot
    frontend: Frontend | None
    """None: the slot waits for its address and has no entries yet."""
    settings: Settings = Settings()
    active: tuple[Backend, ...] = ()
    """Take new connections."""
    terminating: tuple[Backend, ...] = ()
    """Keep the connections they have."""
    since: str = ""
    """When the service was created: of services that claim one frontend the oldest has it."""

    @property
    def taking(self) -> tuple[Backend, ...]:
        """Those that take new connections: terminating ones where there are no others."""
        return self.active or self.terminating

    @property
    def external(self) -> bool:
        """Reached from outside the cluster."""
        return self.slot.kind is not Kind.CLUSTER_IP and self.slot.scope is Scope.EXTERNAL

    @property
    def routable(self) -> bool:
        """A packet from outside to exactly this address is to be balanced."""
        assert self.frontend is not None
        return self.slot.kind is not Kind.CLUSTER_IP and int(self.frontend.address) != 0
