"""Flows a second, over the last minute: counted second by second, whatever the log still holds."""

from __future__ import annotations

import time

WINDOW = 60
"""Seconds."""
NANOSECONDS = 10**9


class Rate:
    """One thread adds, any may ask."""

    def __init__(self) -> None:
        self._started = time.time_ns()
        self._flows: dict[int, int] = {}
        """By second (Unix)."""

    def add(self, at: int, flows: int = 1) -> None:
        """Count flows that were seen at a time (Unix, nanoseconds)."""
        second = at // NANOSECONDS
        seen = self._flows.get(second)
        if seen is None:
            for old in [each for each in self._flows if each <= second - 2 * WINDOW]:
                del self._flows[old]
        self._flows[second] = (seen or 0) + flows

    def a_second(self) -> float:
        """Flows a second over the last minute, or since the start when that is less long ago."""
        now = time.time_ns()
        oldest = now // NANOSECONDS - WINDOW
        recent = sum(flows for second, flows in list(self._flows.items()) if second > oldest)
        covered = min(WINDOW, (now - self._started) / NANOSECONDS)
        return recent / max(covered, 1.0)
