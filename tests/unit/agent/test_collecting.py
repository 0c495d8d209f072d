"""How full the flow tables are, from pass to pass."""

from __future__ import annotations

import asyncio

import pytest

from lab.agent import collecting
from lab.agent.collecting import FlowTables
from lab.agent.metrics import flow_tables
from lab.bpf.gc import Collected, Fill
from lab.errors import BpfError


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


def test_a_pass_that_fails_is_followed_by_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tables, fill = FlowTables(), Fill(size=8, entries=6, evicted=0)
    found = iter([Collected(1, 1, {"first": fill}), Collected(0, 0, {"second": fill})])

    async def story() -> None:
        loop, noted = asyncio.get_running_loop(), asyncio.Event()

        def one_pass() -> Collected:
            if not caplog.text:
                raise BpfError("opening cilium_ct4_global", 2)
            seen = next(found, None)
            if seen is None:
                loop.call_soon_threadsafe(noted.set)
            return seen or Collected(0, 0, tables.fills)

        monkeypatch.setattr(collecting, "collect", one_pass)
        monkeypatch.setattr(collecting, "EVERY", 0.001)
        task = asyncio.create_task(tables.keep_collecting())
        await asyncio.wait_for(noted.wait(), 10)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(story())
    assert tables.fills == {"second": fill}
    assert "cilium_ct4_global" in caplog.text


def test_nothing_is_told_before_the_first_pass() -> None:
    assert samples(FlowTables()) == {}
