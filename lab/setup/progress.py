"""How far the set-up is: a line for each step that ended, on a terminal one for those under way.

On anything else a step that takes long says every ten seconds where it is. Steps may run at the
same time, in threads of their own.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SILENT_SECONDS = 10.0
"""Without a terminal: how long a step stays silent."""
CLEAR_LINE = "\r\x1b[K"


class Screen:
    """Where the steps are shown: lines that stay, and below them one that is rewritten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: list[Step] = []
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def add(self, step: Step) -> None:
        with self._lock:
            self._steps.append(step)
            self._draw()

    def moved(self, step: Step) -> None:
        """A step has come further."""
        with self._lock:
            if self._live:
                self._draw()
            elif step.silent_for() > SILENT_SECONDS:
                self._keep(f"  {step}")
                step.has_spoken()

    def remove(self, step: Step, outcome: str) -> None:
        with self._lock:
            self._steps.remove(step)
            self._keep(f"  {step.title:<20} {outcome:<6} {step.seconds():5.1f} s")
            self._draw()

    def say(self, text: str) -> None:
        with self._lock:
            self._keep(text)
            self._draw()

    def _keep(self, line: str) -> None:
        print(f"{CLEAR_LINE if self._live else ''}{line}", file=sys.stderr, flush=True)

    def _draw(self) -> None:
        if self._live:
            line = "   ".join(map(str, self._steps))
            columns = shutil.get_terminal_size().columns
            sys.stderr.write(f"{CLEAR_LINE}  {line}"[: columns + len(CLEAR_LINE) - 1])
            sys.stderr.flush()


class Step:
    """One step that is under way."""

    def __init__(self, title: str, screen: Screen) -> None:
        self.title = title
        self._screen = screen
        self._percent = 0.0
        self._detail = ""
        self._began = self._spoke = time.monotonic()

    def __str__(self) -> str:
        return f"{self.title} {min(self._percent, 100):.0f} % {self._detail}".rstrip()

    def at(self, percent: float, detail: str = "") -> None:
        """Where the step is, and what it is doing."""
        self._percent, self._detail = percent, detail
        self._screen.moved(self)

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def silent_for(self) -> float:
        return time.monotonic() - self._spoke

    def has_spoken(self) -> None:
        self._spoke = time.monotonic()


SCREEN = Screen()


@contextmanager
def step(title: str) -> Iterator[Step]:
    """A step from its begin to its end, however it ends."""
    current = Step(title, SCREEN)
    SCREEN.add(current)
    try:
        yield current
    except BaseException:
        SCREEN.remove(current, "failed")
        raise
    SCREEN.remove(current, "done")


def say(text: str) -> None:
    """A line of its own."""
    SCREEN.say(text)
