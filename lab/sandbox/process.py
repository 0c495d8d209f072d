"""What the lab's own forks share: how one begins, ends, and hears of signals."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn


def run_to_the_end(main: Callable[[], int | None]) -> NoReturn:
    """Run the main function of a fresh fork and end the process with the code it returns.

    Nothing of the parent's stack runs in the child: no handler, no `finally`, no exit hook.
    """
    code = 1
    try:
        code = main() or 0
    except BaseException:  # noqa: BLE001 - the top of a process; its log says what it died of
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def set_title(text: str) -> None:
    """Show a text where ps and pgrep -f show the command line; it is cut to that one's length.

    Forks would all look like the command that started them, and be taken for it. Overwrites the
    memory that the kernel reads the arguments from (arg_start and arg_end in proc(5)).
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    size = end - start - 1  # the last byte stays 0, or the kernel reads on in the environment
    ctypes.memmove(start, text.encode()[:size].ljust(size, b"\0"), size)


def wake_on(*numbers: signal.Signals) -> int:
    """A file that becomes readable when one of the signals arrives; its bytes are their numbers.

    For select(2), which could otherwise miss a signal that comes just before it.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in numbers:
        signal.signal(number, _take_note)
    return reader


def hear_nothing(*numbers: signal.Signals) -> None:
    """Undo the parent's wake_on in a fresh fork."""
    signal.set_wakeup_fd(-1)
    for number in numbers:
        signal.signal(number, signal.SIG_DFL)


def _take_note(_number: int, _frame: FrameType | None) -> None:
    """The wake-up file has said it already."""
