"""The file system as a lab sees it: the host's, with private places wherever a lab writes.

Called once by PID 1 in its new namespaces. Everything made here vanishes with the last process of
the lab, because no mount leaves the lab's mount namespace.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.repository import REPOSITORY
from lab.sandbox.rundir import RunDir
from lab.sandbox.syscalls import Mount, mount

PRIVATE = ("/run", "/tmp", "/var/tmp", "/var/log", "/etc/frr", "/dev/shm")
"""Directories that get a tmpfs of the lab's own; /var/run is /run on every system served."""

OWN_CODE = (REPOSITORY, Path(sys.prefix), Path(sys.base_prefix))
"""What the lab's own processes import from; may lie in a directory that becomes private."""


def make_private(run: RunDir) -> None:
    """Replace the calling process's view; its mount and PID namespaces must be new."""
    mount("none", "/", flags=Mount.RECURSIVE | Mount.PRIVATE)
    kept = [run.path, *(path for path in OWN_CODE if _is_hidden(path))]
    handles = [(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), path) for path in kept]
    for place in filter(os.path.isdir, PRIVATE):
        _hollow_out(place)
    mount("proc", "/proc", "proc", Mount.NO_DEV | Mount.NO_SUID | Mount.NO_EXEC)
    for fd, path in handles:
        path.mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{fd}", path, flags=Mount.BIND | Mount.RECURSIVE)
        # Some systems mount /run without permission to execute; the lab's commands lie there.
        mount("none", path, flags=Mount.BIND | Mount.REMOUNT | Mount.NO_DEV | Mount.NO_SUID)
        os.close(fd)
    Path("/run/netns").mkdir(exist_ok=True)
    mount_sys()


def mount_sys() -> None:
    """A /sys of the caller's network namespace, with a BPF file system and cgroups of its own.

    A new bpffs is empty: what is pinned in it is seen through this mount alone and freed with it.
    Called again in each node's mount namespace.
    """
    mount("sysfs", "/sys", "sysfs", Mount.NO_DEV | Mount.NO_SUID | Mount.NO_EXEC)
    mount("bpf", "/sys/fs/bpf", "bpf", Mount.NO_DEV | Mount.NO_SUID | Mount.NO_EXEC)
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2", Mount.NO_DEV | Mount.NO_SUID | Mount.NO_EXEC)


@dataclass(frozen=True)
class _Directory:
    name: str
    mode: int
    owner: int
    group: int


def _hollow_out(place: str) -> None:
    """Cover a directory with an empty one that has its subdirectories, but none of their files.

    Programs expect to find /run/frr or /var/log/nginx with the right owner.
    """
    mode = stat.S_IMODE(Path(place).stat().st_mode)
    keep = list(_subdirectories(place)) if place != "/tmp" else []
    mount("lab", place, "tmpfs", Mount.NO_DEV | Mount.NO_SUID, f"mode={mode:o}")
    for directory in keep:
        path = Path(place) / directory.name
        path.mkdir()
        os.chown(path, directory.owner, directory.group)
        path.chmod(directory.mode)


def _subdirectories(place: str) -> Iterator[_Directory]:
    for entry in os.scandir(place):
        if entry.is_dir(follow_symlinks=False):
            info = entry.stat(follow_symlinks=False)
            mode = stat.S_IMODE(info.st_mode)
            yield _Directory(entry.name, mode, info.st_uid, info.st_gid)


def _is_hidden(path: Path) -> bool:
    return any(path.is_relative_to(place) for place in PRIVATE)
