"""Coming up in the background: on processor time that nobody else wants.

The relay and the web page import for half a second, on machines with two cores, just when somebody
waits for the first service of a lab. What these two serve is looked at later.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from lab.niceness import be

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
    be(LAST)
    signal.signal(signal.SIGALRM, lambda *_: be(0))
    signal.setitimer(signal.ITIMER_REAL, AT_MOST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        be(0)
