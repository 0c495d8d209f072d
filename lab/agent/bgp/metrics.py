"""What the agent counts of its BGP speaker, with Cilium's names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from lab.errors import FrrError
from lab.frr.vty import Vty

PREFIX = "cilium_bgp_control_plane"
_FAMILIES = {"ipv4Unicast": "ipv4", "ipv6Unicast": "ipv6"}
_SESSION = ["vrouter", "neighbor", "neighbor_asn"]
_ROUTES = [*_SESSION, "afi", "safi"]


class BgpMetrics:
    """Runs of the reconciler as they are counted; sessions as bgpd tells them when asked."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._errors = Counter(
            f"{PREFIX}_reconcile_errors",
            "Runs that did not bring the speaker up to date",
            ["vrouter"],
            registry=self._registry,
        )
        self._runs = Histogram(
            f"{PREFIX}_reconcile_run_duration_seconds",
            "Time to bring the speaker up to date",
            ["vrouter"],
            registry=self._registry,
        )

    def reconciled(self, vrouter: int, seconds: float) -> None:
        """The speaker of that AS number was brought up to date."""
        self._runs.labels(str(vrouter)).observe(seconds)

    def failed(self, vrouter: int) -> None:
        """It could not be."""
        self._errors.labels(str(vrouter)).inc()

    def collect(self) -> Iterator[Metric]:
        """What cannot be asked for is left out."""
        yield from self._registry.collect()
        try:
            with Vty("bgpd") as bgpd:
                summary: Mapping[str, Any] = bgpd.json("show bgp summary json")
                neighbors: Mapping[str, Any] = bgpd.json("show bgp neighbors json")
        except FrrError:
            return
        yield from session_metrics(summary, neighbors)


def session_metrics(summary: Mapping[str, Any], neighbors: Mapping[str, Any]) -> list[Metric]:
    """State and routes of every session; the address family counts for routes alone."""
    states = GaugeMetricFamily(f"{PREFIX}_session_state", "1: established", labels=_SESSION)
    sent = GaugeMetricFamily(f"{PREFIX}_advertised_routes", "Routes announced", labels=_ROUTES)
    got = GaugeMetricFamily(f"{PREFIX}_received_routes", "Routes received", labels=_ROUTES)
    seen = set()
    for family, afi in _FAMILIES.items():
        for address, peer in summary.get(family, {}).get("peers", {}).items():
            host = f"[{address}]" if ":" in address else address
            port = neighbors.get(address, {}).get("portForeign", 179)
            session = [str(peer["localAs"]), f"{host}:{port}", str(peer["remoteAs"])]
            if address not in seen:
                states.add_metric(session, float(peer.get("state") == "Established"))
                seen.add(address)
            sent.add_metric([*session, afi, "unicast"], peer.get("pfxSnt", 0))
            got.add_metric([*session, afi, "unicast"], peer.get("pfxRcd", 0))
    return [states, sent, got]
