"""What the agent counts, for Prometheus: BGP sessions, the datapath's packets and flow tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab.agent.bgp.metrics import BgpMetrics
from lab.agent.collecting import FlowTables
from lab.bpf import tables
from lab.bpf.codes import Direction, reason_text
from lab.bpf.gc import Fill
from lab.bpf.maps import PerCpuMap
from lab.errors import BpfError

PORTS: Mapping[str, int] = {"cilium-1.10": 9090, "modern": 9962}
"""Where the two generations of Cilium serve the agent's metrics. Hubble's are on 9965 in both."""

_FORWARDED = 0


class AgentMetrics(Collector):
    """Read when somebody asks; what cannot be read then is left out."""

    def __init__(self, bgp: BgpMetrics, flows: FlowTables) -> None:
        self._bgp = bgp
        self._flows = flows

    def collect(self) -> Iterator[Metric]:
        yield from self._packets()
        yield from flow_tables(self._flows.fills)
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


def flow_tables(fills: Mapping[str, Fill]) -> Iterator[Metric]:
    """How full they are, as Cilium says it (pkg/bpf: `bpf_map_pressure`), and what they evicted,
    which Cilium does not count."""
    labels = ["map_name"]
    pressure = GaugeMetricFamily(
        "cilium_bpf_map_pressure", "Share of a map that is filled", labels=labels
    )
    evicted = CounterMetricFamily(
        "lab_bpf_map_evictions", "Entries that a full map threw out", labels=labels
    )
    for name, fill in fills.items():
        plain = [name.removeprefix("cilium_")]
        pressure.add_metric(plain, fill.entries / fill.size)
        evicted.add_metric(plain, fill.evicted)
    yield pressure
    yield evicted
