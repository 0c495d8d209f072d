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

_DOOR = 'echo $$ > "$0" && trap "" INT QUIT && exec "$@"'
"""Join a cgroup, whose cgroup.procs is $0, and become the command that follows: nsenter.

Ctrl-C does not end that: it waits for the program inside, which ends as it sees fit, and hands
on its exit code.
"""

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
        return self._enter(KINDS, argv)

    def on_wire(self, argv: Sequence[str]) -> list[str]:
        """A command with the host's files that sees the node's network only; ends with the lab."""
        return self._enter(WIRE_KINDS, argv)

    @property
    def network(self) -> Path:
        """The node's network namespace as a file."""
        return self._namespaces / "net"

    def _enter(self, kinds: Sequence[str], argv: Sequence[str]) -> list[str]:
        door = ["sh", "-c", _DOOR, str(self.cgroup / "cgroup.procs")]
        entered = (f"{_OPTIONS[kind]}={self._namespaces / kind}" for kind in kinds)
        return [*door, "nsenter", *entered, "--", *_AS_ITSELF, *argv]

    @property
    def _namespaces(self) -> Path:
        return Path(f"/proc/{self.pid1}/root/proc/{self.holder}/ns")
