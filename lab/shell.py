"""Programs as subprocesses: the only place that starts one.

`run` raises when the program fails, `probe` returns whatever happened; there is no third kind.
`start` leaves a program running, `spawn` does so for the length of a `with` block.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lab.errors import CommandError

DEFAULT_TIMEOUT = 30.0
"""Seconds; a program that may take longer gets its own bound from the caller."""

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL for a spawned program."""


@dataclass(frozen=True)
class Result:
    """What a program left behind when it ended. `code` is negative for a signal."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    def json(self) -> Any:
        """Standard output as JSON; CommandError when it is none."""
        try:
            return json.loads(self.out)
        except ValueError as exc:
            raise CommandError(self.argv, self.code, f"not JSON: {self.out[:400]}") from exc


def probe(
    argv: Sequence[str],
    *,
    input: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Result:
    """Run a program to its end and return its result, whatever its code.

    CommandError when it cannot be started or does not end in time.
    """
    try:
        done = subprocess.run(
            list(argv),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=env,
            cwd=cwd,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise CommandError(argv, None, _text(exc.stdout) + _text(exc.stderr)) from exc
    except OSError as exc:
        raise CommandError(argv, 127, str(exc)) from exc
    return Result(tuple(argv), done.returncode, done.stdout, done.stderr)


def run(
    argv: Sequence[str],
    *,
    input: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    where: str = "",
) -> Result:
    """Run a program to its end; CommandError unless it ends with code 0."""
    result = probe(argv, input=input, timeout=timeout, env=env, cwd=cwd)
    if not result.ok:
        raise CommandError(argv, result.code, result.err or result.out, where=where)
    return result


Child = subprocess.Popen[str]
"""A program that was started and may still run."""


def start(
    argv: Sequence[str],
    *,
    stdout: IO[Any] | int = subprocess.DEVNULL,
    stderr: IO[Any] | int = subprocess.DEVNULL,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    new_session: bool = True,
) -> Child:
    """Start a program that outlives this call; whoever starts it ends it."""
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
            errors="replace",
            env=env,
            cwd=cwd,
            start_new_session=new_session,
        )
    except OSError as exc:
        raise CommandError(argv, 127, str(exc)) from exc


@contextmanager
def spawn(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Iterator[Child]:
    """Keep a program running for the length of a `with` block; its output comes by pipes."""
    child = start(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    try:
        yield child
    finally:
        end(child)


def wait(child: Child, *, timeout: float = DEFAULT_TIMEOUT) -> int:
    """The code a started program ends with; CommandError when it does not end in time."""
    try:
        return child.wait(timeout=timeout)
    except subprocess.TimeoutExpired as exc:
        raise CommandError(_words(child), None, "") from exc


def end(child: Child) -> None:
    """SIGTERM, a moment's grace, SIGKILL; returns when the program is gone and its pipes closed."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
    child.wait()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def _words(child: Child) -> list[str]:
    args = child.args
    return [str(word) for word in args] if isinstance(args, list) else [str(args)]


def _text(output: bytes | str | None) -> str:
    if output is None:
        return ""
    return output if isinstance(output, str) else output.decode(errors="replace")
