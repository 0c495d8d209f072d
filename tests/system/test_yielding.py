"""A process that comes up behind all others, and is their equal afterwards."""

from __future__ import annotations

import os
import sys

import pytest

from lab import shell

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="takes niceness back: needs root"),
]

# A process of its own: niceness is one for the whole process, and an alarm ends up in it.
PROGRAM = """
import os, signal
from lab.hubble import yielding

yielding.AT_MOST = {at_most}
nice = lambda: os.getpriority(os.PRIO_PROCESS, 0)
seen = [nice()]
with yielding.yielding():
    seen.append(nice())
    {inside}
    seen.append(nice())
print(*seen, nice(), signal.getitimer(signal.ITIMER_REAL)[0])
"""


def told(at_most: float, inside: str) -> list[str]:
    program = PROGRAM.format(at_most=at_most, inside=inside)
    return shell.run(["nice", "-n", "0", sys.executable, "-c", program]).out.split()


def test_it_comes_last_until_the_block_ends() -> None:
    assert told(60.0, "pass")[1:] == ["19", "19", "0", "0.0"]


def test_a_block_that_takes_long_is_everyones_equal_before_it_ends() -> None:
    assert told(0.01, "signal.pause()")[1:] == ["19", "0", "0", "0.0"]
