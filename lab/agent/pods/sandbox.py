"""A pod's namespaces and processes, as the agent holds them: a line to the pod's PID 1.

The line is a Unix socket; an order goes out as one line of JSON, and the state of all containers
comes back after it and after every change. The agent may die and connect again at any time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.agent.pods.container import Launch
from lab.agent.pods.init import PID, SOCKET
from lab.repository import REPOSITORY
from lab.shell import run

COMMAND = "exec:"
"""How the names of commands begin; a container's name cannot be mistaken for one of them."""

GREETING = 5.0
"""Seconds until a PID 1 that says nothing is taken for dead."""
START_BOUND = 20.0
"""Seconds for the interpreter of a pod's PID 1 to make its namespaces."""


@dataclass(frozen=True)
class Process:
    """A program in a pod: running while `code` is None. Times are Unix seconds."""

    pid: int
    """In the pod's PID namespace."""
    attempt: int
    started: float
    code: int | None = None
    """Exit code, or 128 + the number of the signal that ended it."""
    finished: float = 0.0


class Sandbox:
    """One pod's PID 1. `changed` is called when a container started or ended, or all are gone."""

    def __init__(self, directory: Path, changed: Callable[[], None]) -> None:
        self.directory = directory
        self.processes: Mapping[str, Process] = {}
        self.alive = False
        self._changed = changed
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._commands = 0
        self._ends: dict[str, asyncio.Future[int]] = {}

    @property
    def pid(self) -> int:
        """PID 1 as the node sees it."""
        return int((self.directory / PID).read_text())

    async def open(self, hostname: str) -> None:
        """Find the pod's PID 1 running, or start it."""
        if not self._connect():
            await asyncio.to_thread(self._spawn, hostname)
            self._connect()

    def adopt(self) -> bool:
        """Connect to a PID 1 that an earlier agent started; False when there is none."""
        return self._connect()

    def start(self, name: str, attempt: int, what: Launch) -> None:
        self._send({"do": "start", "name": name, "attempt": attempt, "launch": what._asdict()})

    async def execute(self, container: str, what: Launch, fds: Sequence[int]) -> int:
        """Run a program beside a container, with standard streams of the caller; its exit code.

        Cancelled, it kills the program.
        """
        self._commands += 1
        name = f"{COMMAND}{os.getpid()}-{self._commands}"
        ended = self._ends[name] = asyncio.get_running_loop().create_future()
        order = {"do": "exec", "name": name, "container": container, "launch": what._asdict()}
        try:
            self._send(order, fds)
            return int(await ended)
        finally:
            if not ended.done() or ended.cancelled():
                self.kill(name, signal.SIGKILL)
            del self._ends[name]
            self._send({"do": "forget", "name": name})

    def kill(self, name: str, number: int = signal.SIGTERM) -> None:
        self._send({"do": "kill", "name": name, "signal": int(number)})

    def stop(self) -> None:
        """End PID 1, and with it whatever still runs in the pod."""
        if self.alive:
            self._send({"do": "stop"})

    def close(self) -> None:
        """Let go of the line; the pod goes on."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        self.alive = False

    def _spawn(self, hostname: str) -> None:
        argv = [sys.executable, "-S", "-m", "lab.agent.pods.init", str(self.directory), hostname]
        # No site packages: the interpreter starts in half the time.
        run(argv, timeout=START_BOUND, env={"PATH": os.defpath}, cwd=REPOSITORY)

    def _connect(self) -> bool:
        """Whether there is a line now. One is enough: a second would keep its reader for ever."""
        if self.alive:
            return True
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.connect(str(self.directory / SOCKET))
        except (FileNotFoundError, ConnectionRefusedError):
            line.close()
            return False
        self._socket, self._buffer, self.alive = line, b"", True
        # PID 1 speaks first; what it says may be waited for, being local and at once.
        line.settimeout(GREETING)
        self._read()
        if not self.alive:
            # It was just dying: its socket let us in, and then fell silent.
            return False
        line.setblocking(False)
        asyncio.get_running_loop().add_reader(line, self._read)
        return True

    def _send(self, order: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
        if self._socket is None:
            return
        line = json.dumps(order).encode() + b"\n"
        try:
            socket.send_fds(self._socket, [line], list(fds))
        except (BrokenPipeError, ConnectionResetError):
            self._lost()

    def _read(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(1 << 20)
        except BlockingIOError:
            return
        except (ConnectionResetError, TimeoutError):
            data = b""
        if not data:
            self._lost()
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if lines:
            state = json.loads(lines[-1])
            self._take({name: Process(**record) for name, record in state.items()})

    def _lost(self) -> None:
        """PID 1 is gone: everything that ran was killed with it."""
        self.close()
        self._take(
            {
                name: process if process.code is not None else _killed(process)
                for name, process in self.processes.items()
            }
        )
        for ended in self._ends.values():
            if not ended.done():
                ended.set_result(128 + signal.SIGKILL)

    def _take(self, processes: Mapping[str, Process]) -> None:
        """Note the state of all processes; whoever waits for a command hears of its end."""
        for name, ended in self._ends.items():
            code = processes[name].code if name in processes else None
            if code is not None and not ended.done():
                ended.set_result(code)
        containers = {n: p for n, p in processes.items() if not n.startswith(COMMAND)}
        if containers != self.processes or not self.alive:
            self.processes = containers
            self._changed()


def _killed(process: Process) -> Process:
    return Process(process.pid, process.attempt, process.started, 128 + signal.SIGKILL)
