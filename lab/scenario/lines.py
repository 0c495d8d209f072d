"""The lines that a running program prints, as they come."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import IO


class Lines:
    """Reads a pipe in a thread of its own until the program closes it."""

    def __init__(self, pipe: IO[str] | None) -> None:
        assert pipe is not None, "the program was started without this pipe"
        self._pipe = pipe
        self._lines: list[tuple[float, str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def so_far(self) -> list[str]:
        """Whole lines, without their ends."""
        return self.since(0)

    def since(self, count: int) -> list[str]:
        """Those after the first `count`."""
        return [line for _, line in self._lines[count:]]

    def stamped(self) -> list[tuple[float, str]]:
        """Whole lines, each with the moment it was read (CLOCK_MONOTONIC, seconds)."""
        return list(self._lines)

    def to_the_end(self) -> list[str]:
        """All lines, once the program has closed the pipe."""
        self._reader.join()
        return self.so_far()

    def _read(self) -> None:
        with suppress(ValueError):  # closed in the middle of a read, by whoever ended the program
            for line in self._pipe:
                self._lines.append((time.monotonic(), line.rstrip("\n")))
