"""The Linux system calls that Python's `os` does not offer (or only from 3.12 on), by ctypes.

Sources: unshare(2), setns(2), mount(2), prctl(2), pid_namespaces(7), cgroup_namespaces(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from enum import IntFlag
from pathlib import Path

from lab.errors import SandboxError

_libc = ctypes.CDLL(None, use_errno=True)


class Namespace(IntFlag):
    """CLONE_NEW* flags of <linux/sched.h>."""

    MOUNT = 0x00020000
    CGROUP = 0x02000000
    UTS = 0x04000000
    IPC = 0x08000000
    PID = 0x20000000
    NET = 0x40000000


class Mount(IntFlag):
    """MS_* flags of <linux/mount.h>."""

    NONE = 0
    READ_ONLY = 1
    NO_SUID = 2
    NO_DEV = 4
    NO_EXEC = 8
    REMOUNT = 32
    BIND = 4096
    RECURSIVE = 16384
    PRIVATE = 1 << 18


_PRIVILEGE = "\n  it takes CAP_SYS_ADMIN; in a container, that is --privileged"

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15

NAMESPACE_FILES = {
    Namespace.MOUNT: "mnt",
    Namespace.CGROUP: "cgroup",
    Namespace.UTS: "uts",
    Namespace.IPC: "ipc",
    Namespace.PID: "pid",
    Namespace.NET: "net",
}
"""Name of each kind under /proc/PID/ns/."""


def unshare(kinds: Namespace) -> None:
    """Give the calling process namespaces of its own (for PID: its future children)."""
    names = ", ".join(NAMESPACE_FILES[kind] for kind in NAMESPACE_FILES if kind in kinds)
    _check(_libc.unshare(ctypes.c_int(kinds)), f"new namespaces ({names})")


def enter(pid: int, kinds: Namespace) -> None:
    """Move the calling thread into namespaces of another process of the same PID namespace.

    A mount namespace can be entered only by a process with a single thread.
    """
    opened = [
        (os.open(f"/proc/{pid}/ns/{NAMESPACE_FILES[kind]}", os.O_RDONLY | os.O_CLOEXEC), kind)
        for kind in NAMESPACE_FILES
        if kind in kinds
    ]
    try:
        for fd, kind in opened:
            enter_open(fd, kind)
    finally:
        for fd, _ in opened:
            os.close(fd)


def enter_open(fd: int, kind: Namespace) -> None:
    """Move the calling thread into a namespace given as an open file."""
    _check(_libc.setns(fd, ctypes.c_int(kind)), f"enter a namespace ({NAMESPACE_FILES[kind]})")


def mount(
    source: str | Path,
    target: str | Path,
    kind: str | None = None,
    flags: Mount = Mount.NONE,
    data: str | None = None,
) -> None:
    """mount(2); SandboxError with the kernel's reason."""
    status = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() if data else None,
    )
    _check(status, f"mount {kind or source} on {target}")


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Ask for a signal when the *thread* that forked this process ends.

    The parent may have ended before the call: the caller checks that afterwards.
    """
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number), 0, 0, 0), "PR_SET_PDEATHSIG")


def set_process_name(name: str) -> None:
    """The name that ps -o comm and top show: at most 15 bytes."""
    _check(_libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0), "PR_SET_NAME")


def _check(status: int, what: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        hint = _PRIVILEGE if number == errno.EPERM else ""
        raise SandboxError(f"{what}: {os.strerror(number)} (errno {number}){hint}")
