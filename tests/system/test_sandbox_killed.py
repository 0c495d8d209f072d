"""A whole cluster against SIGKILL: agents, pods and the kernel's BPF objects go with it."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab import shell
from lab.sandbox.ending import end
from lab.sandbox.handle import Lab
from lab.sandbox.listing import summaries
from lab.sandbox.rundir import RunDir, is_held
from lab.scenario import find
from lab.wait import until

from .traces import Traces, start_time

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
]

WITHIN = 90.0
"""Seconds; a bound for loaded machines."""

LINES = 60
"""So much, or more, does a scenario print from the bring-up of its lab to its last check."""


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    chosen = f"k{os.getpid()}-{abs(hash(request.node.name)) % 10_000}"
    yield chosen
    if RunDir.of(chosen).path.exists():
        end(RunDir.of(chosen))


@pytest.fixture
def traces(name: str) -> Traces:
    return Traces(name)


def bring_up(name: str) -> shell.Child:
    words = [sys.executable, "-m", "lab.cli", "up", "basic", "--name", name, "-O", "workers=1"]
    return shell.start(words)


def born(pid: int) -> int:
    """When a process was started, in clock ticks; 0 for one that is gone."""
    return int(start_time(pid) or 0)


@pytest.mark.parametrize("victim", ["keeper", "pid1"])
def test_a_cluster_goes_with_the_first_processes_of_its_lab(
    victim: str, name: str, traces: Traces
) -> None:
    assert shell.wait(bring_up(name), timeout=WITHIN) == 0
    keeper = next(lab.keeper for lab in summaries() if lab.name == name)
    pids = traces.follow(keeper)
    assert traces.bpf, "agents hold maps open"
    os.kill({"keeper": keeper, "pid1": pids[1]}[victim], signal.SIGKILL)
    traces.until_gone()
    assert not is_held(RunDir.of(name))


@pytest.mark.parametrize("count", [12, 18, 22, 25])
def test_killing_the_newest_process_of_a_clusters_bring_up_leaves_nothing(
    count: int, name: str, traces: Traces
) -> None:
    starting = bring_up(name)
    tree = until(
        lambda: traces.follow(starting.pid),
        lambda tree: len(tree) >= count or starting.poll() is not None,
        within=WITHIN,
        what="processes of the bring-up",
    )
    with suppress(ProcessLookupError):
        os.kill(max(tree or [starting.pid], key=born), signal.SIGKILL)
    if shell.wait(starting, timeout=WITHIN) == 0:  # The lab can live without it.
        lab = Lab.find(name)
        traces.follow(next(lab.keeper for lab in summaries() if lab.name == name))
        lab.end()
    traces.until_gone()


@pytest.mark.parametrize("_", range(3))
def test_killing_anything_at_any_moment_of_a_scenario_leaves_nothing(
    _: int, name: str, traces: Traces, tmp_path: Path
) -> None:
    # pytest-randomly seeds `random` and prints the seed: --randomly-seed=N repeats the choice.
    scenario, lines = random.choice(find.names()), random.randrange(1, LINES)
    printed = tmp_path / "printed"
    words = [sys.executable, "-u", "-m", "lab.cli", "run", scenario, "--name", name]
    with printed.open("w") as output:
        running = shell.start(words, stdout=output)
    tree = until(
        lambda: traces.follow(running.pid),
        lambda _: len(printed.read_text().splitlines()) >= lines or running.poll() is not None,
        within=WITHIN,
        what=f"line {lines} of scenario {scenario}",
    )
    with suppress(ProcessLookupError):
        os.kill(random.choice(tree or [running.pid]), signal.SIGKILL)
    traces.follow(running.pid)
    running.kill()  # The lab's own command, too: what the scenario makes of it is not asked here.
    shell.wait(running, timeout=WITHIN)
    traces.until_gone()
    assert shell.wait(bring_up(name), timeout=WITHIN) == 0, "the name is free again"
