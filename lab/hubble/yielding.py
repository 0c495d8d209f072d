"""Coming up in the background: on processor time that nobody else wants.

The relay and the web page import for half a second, on machines with two cores, just when somebody
waits for the first service of a lab. What these two serve is looked at later.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
"""Where the kernel groups sessions for fairness, only this nice value counts between them:
"The autogroup feature" in sched(7)."""

LAST = 19
"""The nice value of whoever comes after all others."""

AT_MOST = 2.0
"""Seconds: on a machine that is busy all the time, the last would never get up."""


@contextlib.contextmanager
def yielding() -> Iterator[None]:
    """Come last inside the `with` block, for AT_MOST seconds, and equal to everyone after it.

    Only root can take niceness back; others stay as they are.
    """
    if os.geteuid() != 0:
        yield
        return
    _be(LAST)
    signal.signal(signal.SIGALRM, lambda *_: _be(0))
    signal.setitimer(signal.ITIMER_REAL, AT_MOST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        _be(0)


def _be(nice: int) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    # The file is there only in kernels that group sessions. It reads empty, and takes nothing
    # (EINVAL), for processes that never were in a session but the first: their own value counts.
    if AUTOGROUP.exists() and AUTOGROUP.read_text():
        AUTOGROUP.write_text(str(nice))
