"""`bgp peers` and `bgp routes`: the node's BGP speaker as text, from bgpd's own JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.agent.cilium.columns import columns
from lab.frr.vty import Vty

Json = Mapping[str, Any]

_FAMILIES = {"ipv4Unicast": "ipv4/unicast", "ipv6Unicast": "ipv6/unicast"}
_ORIGIN = {"IGP": "i", "EGP": "e", "incomplete": "?"}
_HEADER = (
    "Local AS", "Peer AS", "Peer Address", "Session", "Uptime", "Family", "Received", "Advertised",
)  # fmt: skip


def peers() -> list[str]:
    """Sessions with what they carry."""
    with Vty("bgpd") as bgpd:
        summary: Json = bgpd.json("show bgp summary json")
        neighbors: Json = bgpd.json("show bgp neighbors json")
    return columns([_HEADER, *_peer_rows(summary, neighbors)])


def _peer_rows(summary: Json, neighbors: Json) -> Iterator[tuple[str, ...]]:
    seen: set[str] = set()
    for name, family in _FAMILIES.items():
        part: Json = summary.get(name, {})
        for address, peer in part.get("peers", {}).items():
            state = str(peer.get("state", "")).lower()
            counts = (family, str(peer.get("pfxRcd", 0)), str(peer.get("pfxSnt", 0)))
            if address in seen:
                yield ("", "", "", "", "", *counts)
                continue
            seen.add(address)
            port = neighbors.get(address, {}).get("portForeign", 179)
            uptime = peer.get("peerUptime", "") if state == "established" else "0s"
            yield (
                str(part.get("as", "")),
                str(peer.get("remoteAs", "")),
                f"{address}:{port}",
                state,
                uptime,
                *counts,
            )


def available(version: int) -> list[str]:
    """The routes that the node could announce."""
    with Vty("bgpd") as bgpd:
        table: Json = bgpd.json(f"show bgp ipv{version} unicast json")
    instance = str(table.get("localAS", ""))
    rows = [
        (instance, prefix, _next_hop(path), _attributes(path))
        for prefix, paths in table.get("routes", {}).items()
        for path in paths
    ]
    return columns([("VRouter", "Prefix", "NextHop", "Attrs"), *rows])


def advertised(version: int, peer: str | None) -> list[str]:
    """The routes that each peer, or one of them, was told."""
    rows: list[tuple[str, ...]] = []
    with Vty("bgpd") as bgpd:
        known: Json = bgpd.json("show bgp neighbors json")
        for address in [a for a in known if peer in (None, a) and isinstance(known[a], dict)]:
            told: Json = bgpd.json(
                f"show bgp ipv{version} unicast neighbors {address} advertised-routes json"
            )
            rows += [
                (str(told.get("localAS", "")), address, prefix, _next_hop(path), _attributes(path))
                for prefix, path in told.get("advertisedRoutes", {}).items()
            ]
    return columns([("VRouter", "Peer", "Prefix", "NextHop", "Attrs"), *rows])


def configuration() -> str:
    """What bgpd runs with."""
    with Vty("bgpd") as bgpd:
        return bgpd.run("show running-config")


def _next_hop(path: Json) -> str:
    hops = path.get("nexthops")
    if hops:
        return str(hops[0].get("ip", ""))
    return str(path.get("nextHop", ""))


def _attributes(path: Json) -> str:
    """Path attributes as Cilium writes them: [{Origin: i} {Nexthop: 0.0.0.0}]."""
    origin = str(path.get("origin", path.get("bgpOriginCode", "i")))
    parts = [f"Origin: {_ORIGIN.get(origin, origin)}"]
    if path.get("path"):
        parts.append(f"AsPath: {path['path']}")
    parts.append(f"Nexthop: {_next_hop(path)}")
    if path.get("locPrf") is not None:
        parts.append(f"LocalPref: {path['locPrf']}")
    return "[" + " ".join(f"{{{part}}}" for part in parts) + "]"
