"""Waiting for a state, never for a time: the only place that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lab.errors import WaitTimeout

T = TypeVar("T")

SHORTEST = 0.001
LONGEST = 0.05
"""Seconds between two looks: the gap doubles from the shortest to the longest."""


def until(
    read: Callable[[], T],
    accept: Callable[[T], object],
    *,
    within: float,
    what: str,
    wanted: object = "",
) -> T:
    """Read a value again and again until it is accepted, and return it.

    `within` is a bound in seconds; when it has passed, WaitTimeout tells what was wanted and
    what was seen last. Errors that `read` raises are not caught: a failed look is not a "no".
    """
    start = time.monotonic()
    gap = SHORTEST
    while True:
        seen = read()
        if accept(seen):
            return seen
        passed = time.monotonic() - start
        if passed >= within:
            raise WaitTimeout(what, wanted=wanted or "another value", seen=seen, seconds=within)
        time.sleep(min(gap, within - passed))
        gap = min(gap * 2, LONGEST)


def pause(seconds: float) -> None:
    """Give up the processor between two attempts of a loop that has its own end (a back-off)."""
    time.sleep(seconds)
