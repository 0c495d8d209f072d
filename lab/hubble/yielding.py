"""Coming up in the background: on processor time that nobody else wants.

The relay and the web page import for half a second each, on machines with two cores, just when
somebody waits for the first pod of a lab. What they serve is looked at later.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
"""Where the kernel groups sessions for fairness, only this nice value counts between them:
"The autogroup feature" in sched(7)."""

BEHIND = 5
"""A nice value: a third of what each other gets when all cores are busy, so that it still ends."""


@contextlib.contextmanager
def yielding() -> Iterator[None]:
    """Be nice inside the `with` block, and equal to everyone after it.

    Only root can take niceness back; others stay as they are.
    """
    if os.geteuid() != 0:
        yield
        return
    _set(BEHIND)
    try:
        yield
    finally:
        _set(0)


def _set(nice: int) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    # The file is there only in kernels that group sessions.
    with contextlib.suppress(FileNotFoundError):
        AUTOGROUP.write_text(str(nice))
