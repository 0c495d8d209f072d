"""The log of a container, as `kubectl logs` asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from lab.agent.bell import Bell

CHUNK = 64 * 1024
LOOK = 0.1
"""Seconds between two looks at a log that is followed."""


@dataclass(frozen=True)
class LogRequest:
    """Which part of a log is wanted."""

    follow: bool = False
    previous: bool = False
    tail: int | None = None
    """Lines from the end; None: everything."""
    limit: int | None = None
    """Bytes; None: as many as there are."""


def log_file(directory: Path, attempt: int, *, previous: bool) -> Path:
    """The log of a container's run number `attempt`, or of the run before."""
    return directory / f"{attempt - previous}.log"


async def read(
    file: Path, request: LogRequest, running: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """The wanted bytes; followed, until the run is over and its log read to the end."""
    left = request.limit if request.limit is not None else 1 << 62
    pause = Bell()
    with file.open("rb") as log:
        log.seek(_start(file, request.tail))
        while left > 0:
            alive = running()
            data = log.read(min(CHUNK, left))
            if data:
                left -= len(data)
                yield data
            elif not (request.follow and alive):
                return
            else:
                await pause.heard(LOOK)


def _start(file: Path, tail: int | None) -> int:
    """Offset of the first of the last `tail` lines."""
    if tail is None:
        return 0
    at = file.stat().st_size
    wanted = tail
    with file.open("rb") as log:
        log.seek(max(at - 1, 0))
        # The newline that ends the last line starts no other.
        wanted += log.read(1) == b"\n"
        while at > 0:
            size = min(CHUNK, at)
            log.seek(at - size)
            block = log.read(size)
            if block.count(b"\n") >= wanted:
                for _ in range(wanted):
                    block = block[: block.rindex(b"\n")]
                return at - size + len(block) + 1 if wanted else file.stat().st_size
            wanted -= block.count(b"\n")
            at -= size
    return 0
