"""CiliumBGPNodeConfig: what became of version 2's resources on one node. Pure.

`spec` is the cluster configuration with the node's overrides in it, `status` what bgpd says of each
peer (`show bgp summary json`, `show bgp neighbors json`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from lab.agent.bgp.facts import Facts, Json
from lab.agent.bgp.version2 import Resources, overridden, selected

_FAMILIES = {"ipv4Unicast": "ipv4", "ipv6Unicast": "ipv6"}


def node_config(
    resources: Resources, facts: Facts, summary: Json, neighbors: Json
) -> dict[str, Any] | None:
    """The object of this node; None when no cluster configuration selects it."""
    name = selected(resources, facts)
    if name is None:
        return None
    instances = overridden(resources, name, facts.node)
    status = [
        {
            "name": instance["name"],
            "localASN": instance.get("localASN"),
            "peers": [_peer(p, facts, summary, neighbors) for p in instance.get("peers", ())],
        }
        for instance in instances
    ]
    return {
        "metadata": {"name": facts.node},
        "spec": {"bgpInstances": instances},
        "status": {"bgpInstances": status},
    }


def _peer(peer: Json, facts: Facts, summary: Json, neighbors: Json) -> dict[str, Any]:
    address = peer.get("peerAddress") or str(facts.discovered(peer) or "")
    found: Json = neighbors.get(address, {})
    state = str(found.get("bgpState", "idle")).lower()
    said: dict[str, Any] = {
        "name": peer["name"],
        "peerAddress": address,
        "peerASN": peer.get("peerASN"),
        "peeringState": state,
        "routeCount": list(_counts(address, summary)),
    }
    if state == "established":
        since = datetime.fromtimestamp(found["bgpTimerUpEstablishedEpoch"], timezone.utc)
        said["establishedTime"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        said["timers"] = {
            "appliedHoldTimeSeconds": found["bgpTimerHoldTimeMsecs"] // 1000,
            "appliedKeepaliveSeconds": found["bgpTimerKeepAliveIntervalMsecs"] // 1000,
        }
    return said


def _counts(address: str, summary: Json) -> Iterator[dict[str, Any]]:
    for name, afi in _FAMILIES.items():
        peer = summary.get(name, {}).get("peers", {}).get(address)
        if peer is not None:
            yield {
                "afi": afi,
                "safi": "unicast",
                "received": peer.get("pfxRcd", 0),
                "advertised": peer.get("pfxSnt", 0),
            }
