"""Where the processes of a lab say what happens to them: one file each in the run directory."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path


def redirect_output(path: Path) -> None:
    """Send this process's output to a file and take its input from nowhere."""
    sys.stdout.flush()
    sys.stderr.flush()
    path.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for fd in {log, nothing} - {0, 1, 2}:
        os.close(fd)


def note(text: str) -> None:
    """A line in the log of this process, with the time."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()
