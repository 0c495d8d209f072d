"""What containers write, on its way into their logs: the bytes, and when they came.

Beside `N.log` there is `N.times`: for each piece of the log one line with the offset of its end
and the time (Unix seconds). Runs in a pod's PID 1, so it imports little.
"""

from __future__ import annotations

import os
import time
from collections import deque
from selectors import EVENT_READ, BaseSelector

CHUNK = 64 * 1024
REST = 0.02
"""Seconds after a piece of a log until the next is taken: a server that writes a line a request
costs fifty looks a second, not thousands."""
TIMES = ".times"


def times_of(log: str) -> str:
    """The file with the times of a log."""
    return log.removesuffix(".log") + TIMES


class Recorder:
    """Moves bytes from the pipe that is a container's output into its log."""

    def __init__(self, pipe: int, log: str) -> None:
        os.set_blocking(pipe, False)
        self.pipe = pipe
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._log = os.open(log, flags, 0o644)
        self._times = os.open(times_of(log), flags, 0o644)
        self._size = 0

    def take(self) -> bool:
        """Move one piece, if there is one; False when nobody can write any more."""
        try:
            data = os.read(self.pipe, CHUNK)
        except BlockingIOError:
            return True
        if data:
            self._size += len(data)
            # First when, then what: who reads the bytes finds their time.
            os.write(self._times, b"%d %.6f\n" % (self._size, time.time()))
            os.write(self._log, data)
        return bool(data)

    def drain(self) -> None:
        """Move what is in the pipe now."""
        before = -1
        while before != self._size:
            before = self._size
            self.take()

    def close(self) -> None:
        for fd in (self.pipe, self._log, self._times):
            os.close(fd)


class Recorders:
    """The recorders of all runs of a pod's containers, on the selector of its PID 1."""

    def __init__(self, selector: BaseSelector) -> None:
        self._selector = selector
        self._open: set[Recorder] = set()
        self._resting: deque[tuple[float, Recorder]] = deque()

    def begin(self, log: str) -> int:
        """Record into `log` from now on; the descriptor to write to."""
        read, write = os.pipe()
        recorder = Recorder(read, log)
        self._open.add(recorder)
        self._selector.register(read, EVENT_READ, recorder)
        return write

    @property
    def timeout(self) -> float | None:
        """Seconds until `wake` is due."""
        return max(self._resting[0][0] - time.monotonic(), 0.0) if self._resting else None

    def hear(self, recorder: Recorder) -> None:
        """Its pipe has something to read, or has ended."""
        self._selector.unregister(recorder.pipe)
        if recorder.take():
            self._resting.append((time.monotonic() + REST, recorder))
        else:
            self._open.remove(recorder)
            recorder.close()

    def wake(self) -> None:
        """Look again at the pipes that have rested."""
        while self._resting and self._resting[0][0] <= time.monotonic():
            _, recorder = self._resting.popleft()
            self._selector.register(recorder.pipe, EVENT_READ, recorder)

    def drain(self) -> None:
        """Bring the logs up to date: a container ended, and its last words belong to it."""
        for recorder in self._open:
            recorder.drain()
