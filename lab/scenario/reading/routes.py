"""Routes as the kernel has them, read from `ip -j route`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from lab.errors import LabError


@dataclass(frozen=True)
class Route:
    """A route: who installed it, and its next hops in the order of the kernel."""

    destination: str
    protocol: str
    next_hops: tuple[IPv4Address | IPv6Address, ...]


def parse(entries: Any) -> list[Route]:
    """Read the JSON of `ip -j route`; LabError when it has another form."""
    try:
        return [_route(entry) for entry in entries]
    except (KeyError, TypeError, ValueError) as exc:
        raise LabError(f"ip route gave JSON that is no list of routes: {entries!r}") from exc


def next_hops(routes: list[Route]) -> set[str]:
    """All next hops of some routes, as text."""
    return {str(hop) for route in routes for hop in route.next_hops}


def _route(entry: dict[str, Any]) -> Route:
    gateways = [hop["gateway"] for hop in entry.get("nexthops", []) if "gateway" in hop]
    if "gateway" in entry:
        gateways.append(entry["gateway"])
    return Route(
        destination=entry["dst"],
        protocol=entry.get("protocol", ""),
        next_hops=tuple(ip_address(gateway) for gateway in gateways),
    )
