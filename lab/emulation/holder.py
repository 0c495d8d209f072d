"""The process that is a node: it owns the node's namespaces and does nothing else.

A fork of the supervisor takes network, mount and uts namespaces of its own, prepares them and
becomes a `sleep` that never ends. The supervisor may fork all holders first and collect them
afterwards, so that the kernel makes the namespaces on all processors at once.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.errors import SandboxError
from lab.sandbox.syscalls import Namespace, unshare

_NAMESPACES = Namespace.NET | Namespace.MOUNT | Namespace.UTS


@dataclass
class Holder:
    """A holder on its way: `ready` waits for it."""

    node: str
    pid: int
    _report: int = field(repr=False)
    """Read end of a pipe: closed empty when the namespaces are ready, else the error's text."""

    def ready(self) -> None:
        """Return when the namespaces are prepared; SandboxError when that failed."""
        if self._report < 0:
            return
        with os.fdopen(self._report) as report:
            self._report = -1
            problem = report.read()
        if problem:
            os.waitpid(self.pid, 0)
            raise SandboxError(f"node {self.node}: cannot prepare its namespaces\n  {problem}")

    def reap(self) -> None:
        """Wait for the end of a holder that was killed."""
        os.waitpid(self.pid, 0)


def inside(pid: int) -> list[str]:
    """The words before a command that run it inside the node of that holder."""
    return ["nsenter", "-t", str(pid), "-m", "-n", "-u", "--"]


def start(node: str, prepare: Callable[[], None]) -> Holder:
    """Fork a holder that calls `prepare` inside its new namespaces; does not wait for it."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(node, prepare, write)
    os.close(write)
    return Holder(node, pid, read)


def _become(node: str, prepare: Callable[[], None], report: int) -> None:
    """In the child: never returns. `report` closes by itself at the exec."""
    try:
        os.setsid()
        unshare(_NAMESPACES)
        socket.sethostname(node)
        prepare()
        os.execv("/bin/sleep", [f"node:{node}", "infinity"])
    except BaseException as exc:  # noqa: BLE001 - the top of this process: its parent tells
        os.write(report, f"{type(exc).__name__}: {exc}".encode())
    finally:
        os._exit(1)
