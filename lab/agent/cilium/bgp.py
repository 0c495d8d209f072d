"""`bgp peers` and `bgp routes`: the node's BGP speaker as text, from bgpd's own JSON."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lab.agent.cilium.columns import columns
from lab.agent.cilium.duration import duration
from lab.agent.cilium.policies import Treatments, treatments
from lab.frr.vty import Vty

Json = Mapping[str, Any]

FAMILIES = {"ipv4Unicast": "ipv4/unicast", "ipv6Unicast": "ipv6/unicast"}
BGP_PORT = 179
_ORIGIN = {"IGP": "i", "EGP": "e", "incomplete": "?"}
_PEERS = (
    "Local AS", "Peer AS", "Peer Address", "Session", "Uptime", "Family", "Received", "Advertised",
)  # fmt: skip
_AVAILABLE = ("VRouter", "Prefix", "NextHop", "Age", "Attrs")
_ADVERTISED = ("VRouter", "Peer", "Prefix", "NextHop", "Age", "Attrs")


def peers() -> list[str]:
    """Sessions with what they carry."""
    with Vty("bgpd") as bgpd:
        summary: Json = bgpd.json("show bgp summary json")
        neighbors: Json = bgpd.json("show bgp neighbors json")
    return peer_table(summary, neighbors)


def peer_table(summary: Json, neighbors: Json) -> list[str]:
    """A row for each session and address family, by AS number and address."""
    carried: dict[str, list[tuple[str, Json]]] = {}
    for name, family in FAMILIES.items():
        for address, peer in summary.get(name, {}).get("peers", {}).items():
            carried.setdefault(address, []).append((family, peer))
    order = sorted(carried, key=lambda address: (carried[address][0][1].get("localAs", 0), address))
    rows = (row for address in order for row in _peer_rows(address, carried[address], neighbors))
    return columns([_PEERS, *rows])


def _peer_rows(
    address: str, families: Iterable[tuple[str, Json]], neighbors: Json
) -> Iterator[tuple[str, ...]]:
    for number, (family, peer) in enumerate(families):
        counts = (family, str(peer.get("pfxRcd", 0)), str(peer.get("pfxSnt", 0)))
        if number:
            yield ("", "", "", "", "", *counts)
            continue
        state = str(peer.get("state", "")).lower()
        up = peer.get("peerUptimeMsec", 0) / 1000 if state == "established" else 0
        port = neighbors.get(address, {}).get("portForeign", BGP_PORT)
        host = f"[{address}]" if ":" in address else address
        who = (str(peer.get("localAs", "")), str(peer.get("remoteAs", "")), f"{host}:{port}")
        yield (*who, state, duration(up), *counts)


def available(version: int) -> list[str]:
    """The routes that the node could announce."""
    with Vty("bgpd") as bgpd:
        table: Json = bgpd.json(f"show bgp ipv{version} unicast json")
        details = _details(bgpd, version, table.get("routes", {}))
    return available_table(str(table.get("localAS", "")), details, time.time())


def available_table(instance: str, details: Mapping[str, Json], now: float) -> list[str]:
    """A row for each path of each prefix; `details`: bgpd's answers by prefix."""
    rows = [
        (instance, prefix, _next_hop(path), _age(path, now), _local_attributes(path))
        for prefix in sorted(details)
        for path in details[prefix].get("paths", ())
    ]
    return columns([_AVAILABLE, *rows])


def advertised(version: int, peer: str | None) -> list[str]:
    """The routes that each peer, or one of them, was told."""
    told: dict[str, Json] = {}
    with Vty("bgpd") as bgpd:
        known: Json = bgpd.json("show bgp neighbors json")
        for address in [a for a in known if peer in (None, a) and isinstance(known[a], dict)]:
            told[address] = bgpd.json(
                f"show bgp ipv{version} unicast neighbors {address} advertised-routes json"
            )
        prefixes = {name for each in told.values() for name in each.get("advertisedRoutes", {})}
        details = _details(bgpd, version, prefixes)
        set_on = treatments(bgpd.run("show running-config"))
    return advertised_table(told, known, details, set_on, time.time())


def advertised_table(
    told: Mapping[str, Json],
    neighbors: Json,
    details: Mapping[str, Json],
    set_on: Treatments,
    now: float,
) -> list[str]:
    """A row for each prefix that each peer was told, with what it was sent with."""
    rows = []
    for address in sorted(told):
        session: Json = neighbors[address]
        for prefix, path in sorted(told[address].get("advertisedRoutes", {}).items()):
            hop = str(session.get("hostLocal", "")) if _own(path) else _next_hop(path)
            first: Json = next(iter(details.get(prefix, {}).get("paths", ())), {})
            default = told[address].get("defaultLocPrf", 100)
            sent = _sent_attributes(path, session, hop, default, set_on.get((address, prefix), {}))
            row = (str(session.get("localAs", "")), address, prefix, hop, _age(first, now), sent)
            rows.append(row)
    return columns([_ADVERTISED, *rows])


def configuration() -> str:
    """What bgpd runs with."""
    with Vty("bgpd") as bgpd:
        return bgpd.run("show running-config")


def _details(bgpd: Vty, version: int, prefixes: Iterable[str]) -> dict[str, Json]:
    return {
        prefix: bgpd.json(f"show bgp ipv{version} unicast {prefix} json") for prefix in prefixes
    }


def _next_hop(path: Json) -> str:
    hops = path.get("nexthops")
    if hops:
        return str(hops[0].get("ip", ""))
    return str(path.get("nextHop", path.get("nextHopGlobal", "")))


def _own(path: Json) -> bool:
    """A route of the node's own, whose next hop bgpd fills in when it sends it."""
    return _next_hop(path) in ("0.0.0.0", "::")


def _age(path: Json, now: float) -> str:
    since = path.get("lastUpdate", {}).get("epoch")
    return duration(now - since) if since is not None else ""


def _local_attributes(path: Json) -> str:
    """Path attributes as Cilium writes them: [{Origin: i} {Nexthop: 0.0.0.0}]."""
    return _written([f"Origin: {_origin(path)}", f"Nexthop: {_next_hop(path)}"])


def _sent_attributes(
    path: Json, session: Json, hop: str, preference: int, set_on: Mapping[str, str]
) -> str:
    """What the peer gets; communities are known from the policy alone, since bgpd does not tell."""
    internal = session.get("remoteAs") == session.get("localAs")
    own_path = "" if internal else str(session.get("localAs"))
    parts = [
        f"Origin: {_origin(path)}",
        f"AsPath: {path.get('path') or own_path}",
        f"Nexthop: {hop}",
    ]
    if internal:
        parts.append(f"LocalPref: {path.get('locPrf', preference)}")
    if "set community" in set_on:
        parts.append(f"Communities: {', '.join(set_on['set community'].split())}")
    if "set large-community" in set_on:
        parts.append(f"LargeCommunity: [ {', '.join(set_on['set large-community'].split())}]")
    return _written(parts)


def _origin(path: Json) -> str:
    origin = str(path.get("origin", path.get("bgpOriginCode", "i")))
    return _ORIGIN.get(origin, origin)


def _written(parts: Iterable[str]) -> str:
    return "[" + " ".join(f"{{{part}}}" for part in parts) + "]"
