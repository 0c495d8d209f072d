"""Whose turn it is on a busy processor: a process's nice value, and its session's."""

from __future__ import annotations

import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
"""Where the kernel groups sessions for fairness, only this nice value counts between them:
"The autogroup feature" in sched(7)."""


def be(nice: int) -> None:
    """Set the nice value of the calling process and of its session: 19 comes last, -20 first.

    PermissionError when the value is lower than before and the process may not lower it.
    """
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    # The file is there only in kernels that group sessions. It reads empty, and takes nothing
    # (EINVAL), for processes that never were in a session but the first: their own value counts.
    if AUTOGROUP.exists() and AUTOGROUP.read_text():
        AUTOGROUP.write_text(str(nice))
