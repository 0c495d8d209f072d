"""A process that comes up behind all others, and is their equal afterwards."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lab import niceness, shell

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="takes niceness back: needs root"),
]

# A process of its own: niceness is one for the whole process, and an alarm ends up in it.
PROGRAM = """
import os, signal
from pathlib import Path
from lab import niceness
from lab.hubble import yielding

yielding.AT_MOST = {at_most}
niceness.AUTOGROUP = Path({autogroup!r})
nice = lambda: os.getpriority(os.PRIO_PROCESS, 0)
seen = [nice()]
with yielding.yielding():
    seen.append(nice())
    {inside}
    seen.append(nice())
print(*seen, nice(), signal.getitimer(signal.ITIMER_REAL)[0])
"""


def told(at_most: float, inside: str, autogroup: Path = niceness.AUTOGROUP) -> list[str]:
    program = PROGRAM.format(at_most=at_most, inside=inside, autogroup=str(autogroup))
    return shell.run(["nice", "-n", "0", sys.executable, "-c", program]).out.split()


def test_it_comes_last_until_the_block_ends() -> None:
    assert told(60.0, "pass")[1:] == ["19", "19", "0", "0.0"]


def test_a_block_that_takes_long_is_everyones_equal_before_it_ends() -> None:
    assert told(0.01, "signal.pause()")[1:] == ["19", "0", "0", "0.0"]


def test_the_group_of_its_session_comes_last_too(tmp_path: Path) -> None:
    group = tmp_path / "autogroup"
    group.write_text("/autogroup-7 nice 0\n")
    assert told(60.0, "print(niceness.AUTOGROUP.read_text())", group)[0] == "19"
    assert group.read_text() == "0"


def test_a_process_in_no_group_is_not_put_in_one(tmp_path: Path) -> None:
    # As the kernel shows it where no session was ever begun; a write fails there.
    group = tmp_path / "autogroup"
    group.touch()
    assert told(60.0, "pass", group)[1:] == ["19", "19", "0", "0.0"]
    assert group.read_text() == ""
