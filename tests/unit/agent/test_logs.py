"""Parts of a container's log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lab.agent.pods.logs import LogRequest, read

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
