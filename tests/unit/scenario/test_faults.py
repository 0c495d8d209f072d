"""Faults as requests and commands, and what a load tells of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.errors import InputError, MachineError
from lab.scenario import faults, measure
from lab.topology.plan import NodeKind, PlannedNode

from .fakes import PLAN, FakeLab

LOAD = """\
1.000000 0.002000 fresh ok
1.100000 0.002000 0.0 ok
1.150000 0.002000 0.1 ok
1.200000 0.002000 fresh ok
2.000000 1.000000 fresh timeout
2.100000 0.500000 0.0 reset
2.500000 0.001000 fresh refused
2.600000 0.002000 fresh ok
half a line
"""


def test_cost_of_a_fault() -> None:
    cost = measure.cost(measure.attempts(LOAD.splitlines()), fault=1.5)
    assert (cost.attempted, cost.failed) == (3, 2)
    assert dict(cost.outcomes) == {"timeout": 1, "refused": 1}
    assert (cost.kept, cost.broken) == (2, 1)
    assert cost.recovered_after == pytest.approx(1.0)
    assert cost.silence == pytest.approx(1.4)
    assert "2 of 3 new connections failed" in str(cost)


def test_a_fault_that_costs_nothing() -> None:
    cost = measure.cost(measure.attempts(LOAD.splitlines()[:4]), fault=1.05)
    assert (cost.attempted, cost.failed, cost.broken, cost.recovered_after) == (1, 0, 0, 0.0)
    assert str(cost).startswith("1 new connections, none failed")


def test_an_attempt_on_its_way_when_the_fault_comes_counts() -> None:
    cost = measure.cost(measure.attempts(LOAD.splitlines()), fault=2.2)
    assert cost.failed == 2


def test_link_down_is_asked_of_the_supervisor_and_undone() -> None:
    lab = FakeLab()
    fault = faults.link_down("k8s-worker1")
    fault.strike(lab)
    fault.mend(lab)
    where = {"node": "k8s-worker1", "interface": "eth0"}
    assert lab.asked == [("cut-link", where), ("mend-link", where)]


def test_agent_stop_is_hard() -> None:
    lab = FakeLab()
    faults.agent_stop("k8s-worker1").strike(lab)
    assert lab.asked == [("stop-service", {"name": "agent@k8s-worker1", "hard": True})]


def test_delay_needs_netem() -> None:
    with pytest.raises(MachineError, match="cannot delay packets"):
        faults.delay("r1", "eth0", 10).strike(FakeLab())


def test_a_partition_has_two_sides() -> None:
    with pytest.raises(InputError, match="both sides: b"):
        faults.partition(["a", "b"], ["b", "c"])


def test_mending_what_is_whole_does_no_harm() -> None:
    lab = FakeLab()
    for fault in (faults.delay("r1", "eth0", 10), faults.loss("r1", "eth0", 5)):
        fault.mend(lab)


def test_packets_are_not_lost_behind_the_programs() -> None:
    lab = FakeLab()
    lab.plan = replace(PLAN, nodes=(*PLAN.nodes, PlannedNode("w1", NodeKind.WORKER, ())))
    with pytest.raises(InputError, match="choose the router"):
        faults.loss("w1", "eth0", 5).strike(lab)
