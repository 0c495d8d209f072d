"""Programs that the set-up runs: their output goes to a log, and line by line to a watcher."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence

from lab.setup.environment import REPOSITORY

LOG = os.path.join(REPOSITORY, ".build", "setup.log")
TAIL = 12
WIDTH = 160
"""Lines of a failed program's output that its error repeats, and how much of each."""


class SetupError(Exception):
    """A step of the set-up failed: what, what was seen, what to do next."""

    def __init__(self, what: str, *, seen: Sequence[str] = (), advice: str) -> None:
        self.what = what
        self.advice = advice
        super().__init__("\n".join([what, *(f"  | {line}" for line in seen), f"to do: {advice}"]))


def run(
    argv: Sequence[str],
    *,
    advice: str,
    environment: Mapping[str, str] | None = None,
    keep_open: Sequence[int] = (),
    watch: Callable[[str], object] | None = None,
) -> None:
    """Run a program to its end; SetupError with its last lines when it fails.

    `environment` is added to ours; `keep_open` are descriptors it inherits; `watch` gets each
    line of its output (standard error included) as it comes.
    """
    os.makedirs(os.path.dirname(LOG), exist_ok=True)
    lines: list[str] = []
    with open(LOG, "a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(argv)}\n")
        with _start(argv, environment, keep_open, advice) as child:
            assert child.stdout is not None
            for line in child.stdout:
                log.write(line)
                log.flush()
                lines.append(line.rstrip())
                if watch:
                    watch(line.rstrip())
    if child.returncode != 0:
        raise SetupError(
            f"{_name(argv)} ended with code {child.returncode}; its last words"
            f" (all of them in {LOG}):",
            seen=[line[:WIDTH] for line in lines if line][-TAIL:],
            advice=advice,
        )


def _name(argv: Sequence[str]) -> str:
    """What a person calls the program: `python -m pip` is pip."""
    return argv[2] if list(argv[1:2]) == ["-m"] else os.path.basename(argv[0])


def _start(
    argv: Sequence[str],
    environment: Mapping[str, str] | None,
    keep_open: Sequence[int],
    advice: str,
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {}), "LC_ALL": "C.UTF-8"},
            pass_fds=keep_open,
            text=True,
            errors="replace",
        )
    except OSError as exc:
        raise SetupError(f"{argv[0]} cannot be started: {exc.strerror}", advice=advice) from exc
