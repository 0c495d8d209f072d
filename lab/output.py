"""The standard output when it takes no more: its reader has gone, or the disk is full."""

from __future__ import annotations

import os
import sys


def give_up() -> None:
    """Keep Python from writing at its exit what could not be written, and from telling so."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
