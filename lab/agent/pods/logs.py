"""The log of a container, as `kubectl logs` asks for it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from lab.agent.bell import Bell
from lab.agent.pods.recording import times_of

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
    since: float = 0.0
    """Unix seconds: only lines that began then or later."""
    timestamps: bool = False
    """Each line begins with its time."""


class Times:
    """When each byte of a log came."""

    def __init__(self, log: Path) -> None:
        self._file = Path(times_of(str(log)))
        self._ends: list[int] = []
        self._when: list[float] = []

    def at(self, offset: int) -> float:
        """Unix seconds of the piece that the byte at this offset came in."""
        if not self._ends or offset >= self._ends[-1]:
            self._load()
        if not self._ends:
            return 0.0
        return self._when[min(bisect_right(self._ends, offset), len(self._when) - 1)]

    def start(self, since: float) -> int:
        """Offset of the first piece that came then or later."""
        self._load()
        piece = bisect_left(self._when, since)
        return self._ends[piece - 1] if piece else 0

    def _load(self) -> None:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        pairs = [line.split() for line in lines]
        self._ends = [int(pair[0]) for pair in pairs]
        self._when = [float(pair[1]) for pair in pairs]


def log_file(directory: Path, attempt: int, *, previous: bool) -> Path:
    """The log of a container's run number `attempt`, or of the run before."""
    return directory / f"{attempt - previous}.log"


async def read(
    file: Path, request: LogRequest, running: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """The wanted bytes; followed, until the run is over and its log read to the end."""
    left = request.limit if request.limit is not None else 1 << 62
    times, pause = Times(file), Bell()
    at = max(_tail(file, request.tail), _since(file, times, request.since))
    stamp = _Stamper(times, at) if request.timestamps else bytes
    with file.open("rb") as log:
        log.seek(at)
        while left > 0:
            alive = running()
            data = stamp(log.read(CHUNK))[:left]
            if data:
                left -= len(data)
                yield data
            elif not (request.follow and alive):
                return
            else:
                await pause.heard(LOOK)


class _Stamper:
    """Puts its time in front of every line of a log that is read from an offset on."""

    def __init__(self, times: Times, offset: int) -> None:
        self._times = times
        self._offset = offset
        self._inside = False
        """The last piece ended inside a line."""

    def __call__(self, data: bytes) -> bytes:
        out = []
        for line in data.splitlines(keepends=True):
            if not self._inside:
                out.append(_rfc3339(self._times.at(self._offset)))
            out.append(line)
            self._offset += len(line)
            self._inside = not line.endswith(b"\n")
        return b"".join(out)


def _rfc3339(seconds: float) -> bytes:
    when = datetime.fromtimestamp(seconds, timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode()


def _since(file: Path, times: Times, since: float) -> int:
    """Offset of the first line that began at `since` or later."""
    if not since:
        return 0
    at = times.start(since)
    with file.open("rb") as log:
        log.seek(max(at - 1, 0))
        # What came before may have ended inside a line, which is an older one then.
        if at and log.read(1) != b"\n":
            log.readline()
        return log.tell() if at else 0


def _tail(file: Path, tail: int | None) -> int:
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
