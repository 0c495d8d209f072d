"""What the supervisor tells while it brings a lab up: one JSON object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.errors import LabError


@dataclass(frozen=True)
class PhaseEvent:
    """A phase of the bring-up began, ended or failed."""

    phase: str
    state: str
    """`started`, `done` or `failed`."""
    seconds: float = 0.0
    """Since the phase began."""


@dataclass(frozen=True)
class Ready:
    """Everything is up; the last event of a bring-up that worked."""

    seconds: float


@dataclass(frozen=True)
class Failed:
    """The bring-up ended with an error; the last event of one that did not work."""

    message: str
    exit_code: int


Event = PhaseEvent | Ready | Failed
_KINDS: dict[str, type[PhaseEvent] | type[Ready] | type[Failed]] = {
    "phase": PhaseEvent,
    "ready": Ready,
    "failed": Failed,
}


def encode(event: Event) -> str:
    kind = next(name for name, cls in _KINDS.items() if isinstance(event, cls))
    return json.dumps({"event": kind, **vars(event)})


def decode(line: str) -> Event:
    fields = json.loads(line)
    return _KINDS[fields.pop("event")](**fields)


class EventWriter:
    """The supervisor's end of the pipe; silent once nobody reads any more."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    def send(self, event: Event) -> None:
        """Write one line; lines of several threads do not mix, being shorter than PIPE_BUF."""
        if self._fd is None:
            return
        try:
            os.write(self._fd, encode(event).encode() + b"\n")
        except BrokenPipeError:
            self.close()

    def close(self) -> None:
        """End of the bring-up: the reader sees the end of the stream."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def failure(error: LabError) -> Failed:
    return Failed(str(error), error.exit_code)


@contextmanager
def telling(fd: int) -> Iterator[None]:
    """Tell an error of the block to the command line before it ends this process."""
    try:
        yield
    except LabError as error:
        EventWriter(fd).send(failure(error))
        raise
