"""A suspended program in a node when a part of its lab is killed. nsenter stops with what it has
started, and would leave that unburied for ever: PID 1, which the kernel lets end last, with it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from lab import shell
from lab.sandbox.ending import end
from lab.sandbox.handle import Lab
from lab.sandbox.listing import summaries
from lab.sandbox.rundir import RunDir, is_held
from lab.wait import until

from .traces import comm, descendants, start_time, stat_fields

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
]

PAIR = str(Path(__file__).with_name("pair.py"))
WITHIN = 20.0
"""Seconds; a bound for loaded machines."""


@pytest.mark.parametrize("victim", ["lab-keeper", "lab-init", "lab-supervisor"])
def test_a_suspended_program_does_not_hold_up_the_end(victim: str) -> None:
    name = f"t{os.getpid()}-{victim}"
    try:
        shell.run([sys.executable, "-m", "lab.cli", "up", PAIR, "--name", name])
        (keeper,) = (each.keeper for each in summaries() if each.name == name)
        (pid1,) = (pid for pid in descendants(keeper) if comm(pid) == "lab-init")
        with Lab.find(name).node("host1").spawn(["sh", "-c", "kill -STOP $$"]) as entering:
            until(lambda: stat_fields(entering.pid)[:1], ["T"].__eq__, within=WITHIN, what="T")
            (killed,) = (pid for pid in descendants(keeper) if comm(pid) == victim)
            os.kill(killed, signal.SIGKILL)
            until(
                lambda: [part for part in (keeper, pid1) if start_time(part)],
                lambda left: not left,
                within=WITHIN,
                what="end of the keeper and PID 1",
            )
        assert not is_held(RunDir.of(name))
    finally:
        if RunDir.of(name).path.exists():
            end(RunDir.of(name))
