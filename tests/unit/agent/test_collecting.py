"""How full the flow tables are, from pass to pass."""

from __future__ import annotations

from lab.agent.collecting import FlowTables
from lab.agent.metrics import flow_tables
from lab.bpf.gc import Fill


def samples(tables: FlowTables) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels["map_name"]): sample.value
        for metric in flow_tables(tables.fills)
        for sample in metric.samples
    }


def test_evictions_never_become_fewer() -> None:
    tables = FlowTables()
    seen = []
    for evicted in (3, 1, 5):
        tables.note({"cilium_ct4_global": Fill(size=8, entries=6, evicted=evicted)})
        seen.append(samples(tables)["lab_bpf_map_evictions_total", "ct4_global"])
    assert seen == [3, 3, 5]


def test_pressure_is_the_share_that_is_filled() -> None:
    tables = FlowTables()
    tables.note({"cilium_snat_v4_external": Fill(size=8, entries=6, evicted=0)})
    assert samples(tables)["cilium_bpf_map_pressure", "snat_v4_external"] == 0.75
    tables.note({"cilium_snat_v4_external": Fill(size=8, entries=2, evicted=0)})
    assert samples(tables)["cilium_bpf_map_pressure", "snat_v4_external"] == 0.25


def test_nothing_is_told_before_the_first_pass() -> None:
    assert samples(FlowTables()) == {}
