from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab import shell
from lab.sandbox.environment import environment, write_commands
from lab.sandbox.rundir import RunDir
from lab.topology.load import load
from lab.topology.plan import Plan
from lab.topology.resolve import resolve


@pytest.fixture
def plan() -> Plan:
    return resolve(load("basic"))


def test_the_labs_commands_come_first_and_the_callers_places_last(plan: Plan) -> None:
    run = RunDir(Path("/run/lab/x"))
    found = environment(run, plan, plan.node("client1"), {"PATH": "/opt/kubectl/bin:/usr/bin"})
    places = found["PATH"].split(":")
    assert places[0] == "/run/lab/x/bin"
    assert "/usr/lib/frr" in places
    assert places[-1] == "/opt/kubectl/bin"
    assert places.count("/usr/bin") == 1


def test_histories_and_caches_stay_in_the_lab(plan: Plan) -> None:
    run = RunDir(Path("/run/lab/x"))
    found = environment(run, plan, plan.node("client1"), {"HOME": "/root", "LANG": "C"})
    assert found["HOME"] == "/run/lab/x/home"
    assert found["LANG"] == "C"


@pytest.mark.parametrize(
    ("node", "has"), [("k8s-control", True), ("k8s-master1", True), ("client1", False)]
)
def test_kubectl_is_configured_where_it_is_used(plan: Plan, node: str, has: bool) -> None:
    found = environment(RunDir(Path("/run/lab/x")), plan, plan.node(node), {})
    assert ("KUBECONFIG" in found) is has


def test_commands_run_the_labs_modules(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.bin.mkdir()
    write_commands(run)
    assert sorted(path.name for path in run.bin.iterdir()) == ["cilium", "hubble"]
    for path in run.bin.iterdir():
        assert os.access(path, os.X_OK)
        shell.run(["sh", "-n", str(path)])
    assert "-m lab.hubble" in (run.bin / "hubble").read_text()
