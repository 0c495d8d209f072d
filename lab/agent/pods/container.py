"""A container: a process with its own mounts in its pod's namespaces.

Runs in a pod's PID 1, so it imports little. Nothing here returns in the child: a child that
cannot start says why in its log and ends with the shell's codes 126 or 127.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from fcntl import ioctl
from termios import TIOCSCTTY
from typing import NamedTuple

from lab.errors import LabError
from lab.sandbox.syscalls import Mount, Namespace, enter, mount, unshare

NOT_FOUND, NOT_STARTED = 127, 126


class Launch(NamedTuple):
    """A program to start. `mounts` are (source, target) bind mounts; a target must exist."""

    argv: list[str]
    env: dict[str, str]
    cwd: str = "/"
    log: str = ""
    mounts: Sequence[Sequence[str]] = ()
    scratch: Sequence[str] = ()
    """Directories that are empty and writable; all else of the machine can only be read."""
    tty: bool = False


def launch(what: Launch, output: int) -> int:
    """Start a container's process, which leads its own session and writes to the descriptor
    `output`; returns its pid.
    """
    pid = os.fork()
    if pid == 0:
        _guarded(what, lambda: _prepare(what, output))
    return pid


def launch_exec(container: int, what: Launch, fds: Sequence[int]) -> int:
    """Start a program beside the process `container`, with `fds` as its standard streams."""
    pid = os.fork()
    if pid == 0:
        _guarded(what, lambda: _join(container, what, fds))
    return pid


def _prepare(what: Launch, output: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    for fd, stream in ((null, 0), (output, 1), (output, 2)):
        os.dup2(fd, stream)
    unshare(Namespace.MOUNT)
    mount("none", "/", None, Mount.RECURSIVE | Mount.PRIVATE)
    # Sources may lie in /run, which the container gets anew: hold them by descriptor.
    held = [(os.open(source, os.O_PATH), target) for source, target in what.mounts]
    mount("none", "/", None, Mount.REMOUNT | Mount.BIND | Mount.READ_ONLY)
    mount("tmpfs", "/run", "tmpfs", Mount.NO_SUID | Mount.NO_DEV, "mode=755")
    for directory in what.scratch:
        mount("tmpfs", directory, "tmpfs", Mount.NO_SUID | Mount.NO_DEV, "mode=1777")
    for fd, target in held:
        mount(f"/proc/self/fd/{fd}", target, None, Mount.BIND)


def _join(container: int, what: Launch, fds: Sequence[int]) -> None:
    for stream in range(3):
        os.dup2(fds[stream], stream)
    if what.tty:
        ioctl(0, TIOCSCTTY, 0)
    enter(container, Namespace.MOUNT)


def _guarded(what: Launch, prepare: Callable[[], None]) -> None:
    """In the child: prepare, become the program; never return to the parent's loop."""
    code = NOT_STARTED
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        prepare()
        os.chdir(what.cwd)
        os.closerange(3, 1024)
        os.execvpe(what.argv[0], what.argv, what.env)
    except FileNotFoundError as error:
        code = NOT_FOUND
        _say(f"{what.argv[0]}: {error}")
    except (OSError, LabError) as error:
        _say(f"{what.argv[0]}: {error}")
    finally:
        os._exit(code)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
