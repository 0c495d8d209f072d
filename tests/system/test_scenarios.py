"""Every scenario file, in a lab of its own: all that it says must hold."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.scenario import find
from lab.scenario.running.apart import run_apart
from lab.scenario.running.batch import Turn
from lab.scenario.telling.outcome import Verdict

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root"),
]


@pytest.mark.parametrize("name", find.names())
def test_scenario(name: str, tmp_path: Path) -> None:
    result = run_apart(Turn(name, f"{name[:18]}-t{os.getpid()}"), tmp_path)
    failed = [
        f"{step.title}: {check.what}\n  wanted {check.wanted}\n  seen {check.seen}"
        for step in result.steps
        for check in step.checks
        if check.verdict is not Verdict.HELD
    ]
    broken = [step.problem for step in result.steps if step.problem]
    assert (result.problem, failed, broken) == ("", [], []), f"collected in {result.artifacts}"
    assert result.verdict is Verdict.HELD


def test_two_labs_side_by_side(tmp_path: Path) -> None:
    names = [f"twin{number}-t{os.getpid()}" for number in (1, 2)]
    with ThreadPoolExecutor(len(names)) as pool:
        results = list(pool.map(lambda name: run_apart(Turn("ecmp", name), tmp_path), names))
    assert [result.verdict for result in results] == [Verdict.HELD, Verdict.HELD]
    assert [result.lab for result in results] == names
