"""The way into a node from the host: an argument list that any program can be started with.

A node's holder is found through the file system of the lab's PID 1, whose /proc shows the
lab's own process ids. Everything else is nsenter(1), so a command costs milliseconds and
passes on its exit code and signals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.sandbox.cgroup import Cgroup

KINDS = ("mnt", "uts", "ipc", "net", "pid")
WIRE_KINDS = ("net", "pid")

_OPTIONS = {"mnt": "--mount", "uts": "--uts", "ipc": "--ipc", "net": "--net", "pid": "--pid"}

_DEAF = 'trap "" INT QUIT; exec "$@"'
"""Become the command that follows, nsenter, which is then not ended by Ctrl-C: it waits for the
program inside, which ends as it sees fit, and hands on its exit code.
"""

_JOIN = 'echo $$ > "$0" && ' + _DEAF
"""The same in a cgroup, whose cgroup.procs is $0."""

_AS_ITSELF = ["env", "--default-signal=INT,QUIT", "setpriv", "--pdeathsig", "TERM", "--"]
"""Inside: hear Ctrl-C again, and end with nsenter, whatever ended that."""


@dataclass(frozen=True)
class Entry:
    """The way to one node: PID 1 as the host sees it, the holder as the lab sees it."""

    pid1: int
    holder: int
    cgroup: Path

    @classmethod
    def to(cls, lab: str, node: str, *, pid1: int, holder: int) -> Entry:
        return cls(pid1, holder, Cgroup.of(lab).child(node))

    def is_open(self) -> bool:
        """Whether the holder is alive."""
        return self._namespaces.exists()

    def inside(self, argv: Sequence[str]) -> list[str]:
        """A command that runs as one of the node: its files, its processes, its cgroup.

        It ends with the lab, and with the process that is started.
        """
        join = ["sh", "-c", _JOIN, str(self.cgroup / "cgroup.procs")]
        return [*join, *self._nsenter(KINDS), *_AS_ITSELF, *argv]

    def on_wire(self, argv: Sequence[str]) -> list[str]:
        """A command with the host's files that sees the node's network only; ends with the lab."""
        return ["sh", "-c", _DEAF, "sh", *self._nsenter(WIRE_KINDS), *_AS_ITSELF, *argv]

    @property
    def network(self) -> Path:
        """The node's network namespace as a file."""
        return self._namespaces / "net"

    def _nsenter(self, kinds: Sequence[str]) -> list[str]:
        entered = (f"{_OPTIONS[kind]}={self._namespaces / kind}" for kind in kinds)
        return ["nsenter", *entered, "--"]

    @property
    def _namespaces(self) -> Path:
        return Path(f"/proc/{self.pid1}/root/proc/{self.holder}/ns")
