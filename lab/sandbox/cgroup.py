"""A cgroup (version 2) for each lab, with one below it for each node.

BPF programs that a node attaches to its cgroup go with the cgroup and only with it, so the lab
has its own. The kernel removes a cgroup when no process is in it: `remove` ends what is left.
Source: Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import MachineError, SandboxError, WaitTimeout
from lab.wait import until

EMPTY_WITHIN = 5.0
"""Seconds that killed processes may take to leave a cgroup."""


def hierarchy() -> Path:
    """Where the host has mounted cgroup2; MachineError where it has not."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] == "cgroup2":
            return Path(before.split()[4])
    raise MachineError(
        "no cgroup2 hierarchy is mounted",
        "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified",
    )


@dataclass(frozen=True)
class Cgroup:
    """The cgroup of one lab, seen from the host."""

    path: Path

    @classmethod
    def of(cls, lab: str) -> Cgroup:
        return cls(hierarchy() / f"lab-{lab}")

    def create(self) -> None:
        try:
            self.path.mkdir()
        except OSError as exc:
            raise SandboxError(f"cannot create the cgroup {self.path}: {exc.strerror}") from exc

    def child(self, node: str) -> Path:
        return self.path / node

    def pids(self) -> Iterator[int]:
        """Every process in it and below, by its id as the reader sees it."""
        for directory, _, _ in os.walk(self.path):
            with contextlib.suppress(OSError):
                yield from map(int, (Path(directory) / "cgroup.procs").read_text().split())

    def kill(self) -> None:
        """End every process in it and below, those too that came from outside of the lab."""
        with contextlib.suppress(FileNotFoundError):  # cgroup.kill exists since Linux 5.14
            (self.path / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """End every process in it and remove it; quiet when there is none."""
        if not self.path.is_dir():
            return
        self.kill()
        try:
            until(self._prune, bool, within=EMPTY_WITHIN, what=f"removal of {self.path}")
        except WaitTimeout as exc:
            left = ", ".join(map(str, self.pids()))
            raise SandboxError(f"processes stay in {self.path}: {left}") from exc

    def _prune(self) -> bool:
        """Try to remove it with all below it, deepest first; True when it is gone."""
        for directory, _, _ in os.walk(self.path, topdown=False):
            try:
                Path(directory).rmdir()
            except FileNotFoundError:
                continue
            except OSError:  # EBUSY: a process is in it still
                return False
        return True
