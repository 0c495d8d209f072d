"""FRR's JSON answers as values: neighbors, routes, BFD sessions.

Functions take what json.loads gave and raise FrrError for another form: never an empty result for
an answer that was not understood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

from lab.errors import FrrError
from lab.frr.model import Address, Prefix

T = TypeVar("T")


@dataclass(frozen=True)
class Peer:
    """A row of `show bgp summary json`."""

    address: Address
    asn: int
    state: str
    """As FRR says it: Idle, Connect, Active, OpenSent, OpenConfirm, Established."""
    received: int
    """Prefixes that were received and accepted."""
    sent: int
    uptime: float
    """Seconds in this state; 0 when it was never Established."""

    @property
    def established(self) -> bool:
        return self.state == "Established"


@dataclass(frozen=True)
class Path:
    """One way to a prefix, of `show bgp ipv4 unicast json`."""

    prefix: Prefix
    next_hop: Address
    peer: Address
    best: bool
    multipath: bool
    """Used beside the best one."""
    local_preference: int | None


@dataclass(frozen=True)
class BfdSession:
    """A row of `show bfd peers json`; its own intervals, in milliseconds."""

    peer: Address
    up: bool
    multiplier: int
    receive_interval: int
    transmit_interval: int


def peers(answer: Any) -> list[Peer]:
    """The neighbors of all address families, each once, in the order of their addresses.

    Without a BGP instance FRR answers with an empty object: no neighbors.
    """

    def read() -> list[Peer]:
        found = {
            address: _peer(address, row)
            for family in answer.values()
            for address, row in family.get("peers", {}).items()
        }
        return sorted(found.values(), key=lambda peer: (peer.address.version, peer.address))

    return _read("show bgp summary json", answer, read)


def paths(answer: Any) -> list[Path]:
    """All ways to all prefixes."""

    def read() -> list[Path]:
        return [
            _path(row) for rows in answer.get("routes", {}).values() for row in rows
        ]  # fmt: skip

    return _read("show bgp json", answer, read)


def bfd_sessions(answer: Any) -> list[BfdSession]:
    """All BFD sessions, in the order of their peers' addresses."""

    def read() -> list[BfdSession]:
        found = [_bfd(row) for row in answer]
        return sorted(found, key=lambda session: (session.peer.version, session.peer))

    return _read("show bfd peers json", answer, read)


def _read(command: str, answer: Any, read: Callable[[], T]) -> T:
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise FrrError(f"`{command}`: no such answer is known: {str(answer)[:200]}") from exc


def _peer(address: str, row: Any) -> Peer:
    return Peer(
        address=ip_address(address),
        asn=row["remoteAs"],
        state=row["state"],
        received=row["pfxRcd"],
        sent=row.get("pfxSnt", 0),
        uptime=row["peerUptimeMsec"] / 1000,
    )


def _path(row: Any) -> Path:
    return Path(
        prefix=ip_network(row["network"]),
        next_hop=ip_address(row["nexthops"][0]["ip"]),
        peer=ip_address(row["peerId"]),
        best=row.get("bestpath", False),
        multipath=row.get("multipath", False),
        local_preference=row.get("locPrf"),
    )


def _bfd(row: Any) -> BfdSession:
    return BfdSession(
        peer=ip_address(row["peer"]),
        up=row["status"] == "up",
        multiplier=row["detect-multiplier"],
        receive_interval=row["receive-interval"],
        transmit_interval=row["transmit-interval"],
    )
