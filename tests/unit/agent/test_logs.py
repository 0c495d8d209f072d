"""Parts of a container's log."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from lab.agent.pods.logs import LogRequest, read
from lab.agent.pods.recording import Recorder

LINES = "one\ntwo\nthree\n"


def wanted(file: Path, request: LogRequest) -> str:
    async def collect() -> bytes:
        return b"".join([data async for data in read(file, request, lambda: False)])

    return asyncio.run(collect()).decode()


@pytest.mark.parametrize(
    ("text", "tail", "expected"),
    [
        (LINES, None, LINES),
        (LINES, 0, ""),
        (LINES, 1, "three\n"),
        (LINES, 2, "two\nthree\n"),
        (LINES, 9, LINES),
        ("one\ntwo", 1, "two"),
        ("", 1, ""),
        ("x" * 200_000 + "\nlast\n", 1, "last\n"),
        ("y\n" * 100_000, 70_000, "y\n" * 70_000),
    ],
)
def test_the_last_lines(tmp_path: Path, text: str, tail: int | None, expected: str) -> None:
    file = tmp_path / "0.log"
    file.write_text(text)
    assert wanted(file, LogRequest(tail=tail)) == expected


def test_a_limit_in_bytes(tmp_path: Path) -> None:
    file = tmp_path / "0.log"
    file.write_text(LINES)
    assert wanted(file, LogRequest(limit=5)) == "one\nt"


def test_a_followed_log_ends_with_its_run(tmp_path: Path) -> None:
    file = tmp_path / "0.log"
    file.write_text("one\n")
    looks = iter([True, True, False])

    def running() -> bool:
        alive = next(looks)
        if not alive:
            with file.open("a") as log:
                log.write("")
        elif file.stat().st_size < 8:
            with file.open("a") as log:
                log.write("two\n")
        return alive

    async def collect() -> bytes:
        return b"".join([data async for data in read(file, LogRequest(follow=True), running)])

    assert asyncio.run(collect()) == b"one\ntwo\n"


def stamped(tmp_path: Path) -> Path:
    """Three pieces of a log, one second apart, the second of which ends inside a line."""
    file = tmp_path / "0.log"
    file.write_text("one\ntwo\nthree\nfour\n")
    (tmp_path / "0.times").write_text("4 1000.0\n11 1001.0\n19 1002.5\n")
    return file


def test_each_line_has_the_time_of_its_beginning(tmp_path: Path) -> None:
    assert wanted(stamped(tmp_path), LogRequest(timestamps=True)).splitlines() == [
        "1970-01-01T00:16:40.000000000Z one",
        "1970-01-01T00:16:41.000000000Z two",
        "1970-01-01T00:16:41.000000000Z three",
        "1970-01-01T00:16:42.500000000Z four",
    ]


@pytest.mark.parametrize(
    ("since", "tail", "expected"),
    [
        (999.0, None, "one\ntwo\nthree\nfour\n"),
        (1000.5, None, "two\nthree\nfour\n"),
        (1001.5, None, "four\n"),
        (1000.5, 2, "three\nfour\n"),
        (1001.5, 3, "four\n"),
        (2000.0, None, ""),
    ],
)
def test_lines_since_a_moment(
    tmp_path: Path, since: float, tail: int | None, expected: str
) -> None:
    assert wanted(stamped(tmp_path), LogRequest(since=since, tail=tail)) == expected


def test_a_recorder_notes_when_each_piece_came(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    recorder = Recorder(read_end, str(tmp_path / "0.log"))
    os.write(write_end, b"one\n")
    assert recorder.take()
    os.write(write_end, b"two\nthree\n")
    recorder.drain()
    os.close(write_end)
    assert not recorder.take()
    recorder.close()
    assert (tmp_path / "0.log").read_text() == "one\ntwo\nthree\n"
    pieces = [line.split()[0] for line in (tmp_path / "0.times").read_text().splitlines()]
    assert pieces == ["4", "14"]
