"""A second lab beside a scenario's own, for as long as the scenario wants it.

    python -m lab.scenario.second NAME TOPOLOGY PROFILE

holds it: a lab is forked from a process with a single thread, which a scenario's no longer is.
It ends with the process that started this one, whatever becomes of that.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lab import shell, wait
from lab.errors import LabError
from lab.sandbox.handle import Lab
from lab.sandbox.launch import launch
from lab.sandbox.rundir import RunDir, read_json
from lab.sandbox.syscalls import die_with_parent
from lab.topology.load import load
from lab.topology.resolve import resolve

MODULE = "lab.scenario.second"
UP_WITHIN = 120.0
"""Seconds; a bound for loaded machines."""


@contextmanager
def second_lab(topology: str, profile: str) -> Iterator[Lab]:
    """Another lab, up and ready, for the length of a `with` block; LabError when it does not come.

    Gone without a trace when the block ends.
    """
    run = RunDir.of(f"second-{os.getpid()}")
    child = shell.start([sys.executable, "-m", MODULE, run.name, topology, profile])
    try:
        state = wait.until(
            lambda: "ended" if child.poll() is not None else _state(run),
            lambda seen: seen in ("ready", "failed", "ended"),
            within=UP_WITHIN,
            what=f"lab {run.name} is up",
        )
        if state != "ready":
            raise LabError(f"lab {run.name} did not come up; `lab up {topology}` may tell why")
        yield Lab(run)
    finally:
        Lab(run).end()
        shell.end(child)


def _state(run: RunDir) -> str:
    return str(read_json(run.state).get("state", "")) if run.state.exists() else ""


def main(name: str, topology: str, profile: str) -> None:
    """Hold the lab until this process is ended."""
    parent = os.getppid()
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        return
    with launch(resolve(load(topology, profile=profile)), name) as lab:
        lab.follow(lambda _: None)
        while True:
            signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
