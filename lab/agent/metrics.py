"""What the agent counts, for Prometheus: its BGP sessions and the datapath's packets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab.bpf import tables
from lab.bpf.codes import Direction, reason_text
from lab.bpf.maps import PerCpuMap
from lab.errors import BpfError, FrrError
from lab.frr.vty import Vty

PORTS: Mapping[str, int] = {"cilium-1.10": 9090, "modern": 9962}
"""Where the two generations of Cilium serve the agent's metrics. Hubble's are on 9965 in both."""

_FORWARDED = 0


class AgentMetrics(Collector):
    """Read when somebody asks; what cannot be read then is left out."""

    def collect(self) -> Iterator[Metric]:
        yield from self._packets()
        yield from self._sessions()

    def describe(self) -> Iterator[Metric]:
        """Nothing: whoever registers a collector must not have to ask bgpd."""
        return iter(())

    def _packets(self) -> Iterator[Metric]:
        labels = ["reason", "direction"]
        drops = CounterMetricFamily("cilium_drop_count", "Packets dropped", labels=labels)
        passed = CounterMetricFamily(
            "cilium_forward_count", "Packets forwarded", labels=["direction"]
        )
        try:
            with PerCpuMap[Any, Any].pinned(tables.METRICS) as counters:
                for key, value in counters.items():
                    direction = Direction(key.dir & 3).name
                    if key.reason == _FORWARDED:
                        passed.add_metric([direction], value.count)
                    else:
                        drops.add_metric([reason_text(key.reason), direction], value.count)
        except BpfError:
            return
        yield drops
        yield passed

    def _sessions(self) -> Iterator[Metric]:
        try:
            with Vty("bgpd") as bgpd:
                summary: Mapping[str, Any] = bgpd.json("show bgp summary json")
        except FrrError:
            return
        name, labels = "cilium_bgp_control_plane", ["neighbor", "afi"]
        states = GaugeMetricFamily(f"{name}_session_state", "1: established", labels=labels)
        sent = GaugeMetricFamily(f"{name}_advertised_routes", "Routes announced", labels=labels)
        got = GaugeMetricFamily(f"{name}_received_routes", "Routes received", labels=labels)
        for family, afi in (("ipv4Unicast", "ipv4"), ("ipv6Unicast", "ipv6")):
            for neighbor, peer in summary.get(family, {}).get("peers", {}).items():
                states.add_metric([neighbor, afi], float(peer.get("state") == "Established"))
                sent.add_metric([neighbor, afi], peer.get("pfxSnt", 0))
                got.add_metric([neighbor, afi], peer.get("pfxRcd", 0))
        yield from (states, sent, got)
