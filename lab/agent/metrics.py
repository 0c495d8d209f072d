"""What the agent counts, for Prometheus: its BGP sessions and the datapath's packets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from lab.agent.bgp_metrics import BgpMetrics
from lab.bpf import tables
from lab.bpf.codes import Direction, reason_text
from lab.bpf.maps import PerCpuMap
from lab.errors import BpfError

PORTS: Mapping[str, int] = {"cilium-1.10": 9090, "modern": 9962}
"""Where the two generations of Cilium serve the agent's metrics. Hubble's are on 9965 in both."""

_FORWARDED = 0


class AgentMetrics(Collector):
    """Read when somebody asks; what cannot be read then is left out."""

    def __init__(self, bgp: BgpMetrics) -> None:
        self._bgp = bgp

    def collect(self) -> Iterator[Metric]:
        yield from self._packets()
        yield from self._bgp.collect()

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
