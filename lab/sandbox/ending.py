"""Ending a lab from outside: a signal to its keeper, and patience until nothing is left."""

from __future__ import annotations

import os
import select
import signal

from lab.errors import InputError
from lab.sandbox.cgroup import Cgroup
from lab.sandbox.rundir import (
    GONE_WITHIN,
    RunDir,
    claim,
    is_held,
    keeper_processes,
    remove,
    until_free,
)


def end(run: RunDir) -> None:
    """End a lab, running or dead, and return when nothing is left of it."""
    keeper = keeper_processes(run).get("keeper")
    if keeper is not None:
        _terminate(run, keeper)
    until_free(run)
    _clear(run)


def _terminate(run: RunDir, keeper: int) -> None:
    """Ask the keeper to end its lab and wait for its own end, which comes last."""
    try:
        handle = os.pidfd_open(keeper)
    except ProcessLookupError:
        return
    try:
        # The handle was taken before this look: while the lock is held, the id is the keeper's.
        if is_held(run):
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            select.select([handle], [], [], GONE_WITHIN)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def _clear(run: RunDir) -> None:
    """Remove what a dead lab has left: its run directory, and its cgroup if nobody was there to."""
    cgroup = Cgroup.of(run.name)
    if not (run.path.exists() or cgroup.path.exists()) or is_held(run):
        return
    try:
        lock = claim(run)
    except InputError:  # Somebody starts it again, or clears it, at this very moment.
        return
    cgroup.remove()
    remove(run)
    os.close(lock)
