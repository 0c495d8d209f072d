"""What both versions of Cilium's resources say alike of a session. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from lab.agent.bgp.facts import Json

BGP_PORT = 179


def checked_timers(written: Json) -> tuple[int, int]:
    """Keepalive and hold time in seconds; ValueError when a session could not live with them."""
    keepalive: int = written.get("keepAliveTimeSeconds", 30)
    hold: int = written.get("holdTimeSeconds", 90)
    if keepalive > hold:
        raise ValueError(f"keepAliveTimeSeconds {keepalive} is more than holdTimeSeconds {hold}")
    return keepalive, hold


def unicast(families: Iterable[Json]) -> tuple[int, ...]:
    """The IP versions of address families, of none both; ValueError for what carries no VIPs."""
    found = set()
    for family in families:
        afi, safi = family["afi"], family["safi"]
        if afi not in ("ipv4", "ipv6") or safi != "unicast":
            raise ValueError(f"family {afi}/{safi}: the lab announces unicast routes only")
        found.add(int(afi[-1]))
    return tuple(sorted(found or {4, 6}))


def listening(port: int | None) -> None:
    """ValueError for a port that FRR does not listen on: bgpd takes it at its start only."""
    if port not in (None, BGP_PORT):
        raise ValueError(f"localPort {port}: the node's FRR listens on {BGP_PORT} only")
