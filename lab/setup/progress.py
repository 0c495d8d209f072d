"""How far the set-up is: one line a step, rewritten in place on a terminal.

On anything else a step prints when it ends, and says where it is every ten seconds.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

QUIET_SECONDS = 10.0
"""Without a terminal: how long a step stays silent."""


class Step:
    """One step that is under way."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._began = self._spoke = time.monotonic()
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.at(0)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def at(self, percent: float, detail: str = "") -> None:
        """Where the step is."""
        text = f"  {self.title:<22} {min(percent, 100):3.0f} %  {detail}"
        if self._live:
            columns = shutil.get_terminal_size().columns
            sys.stderr.write(f"\r\x1b[K{text[: columns - 1]}")
            sys.stderr.flush()
        elif time.monotonic() - self._spoke > QUIET_SECONDS:
            self._spoke = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    def close(self, outcome: str) -> None:
        """The step's last line."""
        start = "\r\x1b[K" if self._live else ""
        line = f"{start}  {self.title:<22} {outcome:<6} {self.seconds:5.1f} s"
        print(line, file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[Step]:
    """A step from its begin to its end, however it ends."""
    current = Step(title)
    try:
        yield current
    except BaseException:
        current.close("failed")
        raise
    current.close("done")


def say(text: str) -> None:
    """A line between the steps."""
    print(text, file=sys.stderr, flush=True)
