"""The fork server: imports the API server's and the agents' code once and forks them all from it.

Six agents that each import gRPC and a Kubernetes client cost six times half a second of a core; a
fork costs milliseconds and shares the memory. A service is forked as soon as its own code is there:
the API server starts while the agents' code is imported. One that ends unasked is started again.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from lab.niceness import be
from lab.sandbox.logs import note, redirect_output
from lab.sandbox.process import hear_nothing, run_to_the_end, set_title, wake_on
from lab.sandbox.syscalls import Namespace, enter, set_process_name

GARBAGE = (20_000, 20, 20)
"""Thresholds of the garbage collector (gc.set_threshold). What services hold is tables that stay,
and hardly a cycle: with the interpreter's own (700, 10, 10) half of the time that ten thousand
services take goes into looking through them again and again."""
SHORTEST_BACKOFF = 0.1
LONGEST_BACKOFF = 5.0
"""Seconds before a service is started again; doubles with each early end."""

SETTLED = 10.0
"""Seconds of life after which an end no longer counts as an early one."""

FIRST = -10
"""The nice value while code is imported: nine times the share of whoever does not hurry."""

CGROUPS = Path("/sys/fs/cgroup")
"""The lab's own cgroups as its processes see them."""


@dataclass(frozen=True)
class Service:
    """One process to fork: what it runs, and where."""

    lab: str
    name: str
    """Unique in the lab, like `agent@k8s-worker1`."""
    entry: str
    """`module:function`; the function takes `argument` and returns an exit code."""
    argument: object
    node: str
    holder: int
    """The process whose network, mount and uts namespaces it enters."""
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        return self.entry.partition(":")[0]


@dataclass(frozen=True)
class Start:
    """Start a service, unless it runs."""

    service: Service


@dataclass(frozen=True)
class Stop:
    """End a service and leave it ended."""

    name: str
    signal: signal.Signals


@dataclass(frozen=True)
class Loaded:
    """All code is imported; `error` is a traceback when it could not be."""

    error: str


@dataclass(frozen=True)
class Started:
    name: str
    pid: int


@dataclass(frozen=True)
class Ended:
    """A service is gone, by a signal if the code is negative; `again`: it will be restarted."""

    name: str
    code: int
    again: bool


@dataclass
class _Slot:
    service: Service
    wanted: bool = True
    pid: int | None = None
    born: float = 0.0
    backoff: float = SHORTEST_BACKOFF
    due: float = 0.0
    """Monotonic time of the next start."""


def serve(channel: Connection, preload: Sequence[str]) -> int:
    """Be the fork server until the supervisor's end of the channel closes.

    `preload` are modules in the order of their import; between two of them requests are heard.
    """
    os.setsid()
    _hurry()
    return _ForkServer(channel, preload).run()


class _ForkServer:
    def __init__(self, channel: Connection, preload: Sequence[str]) -> None:
        self._channel = channel
        self._to_load = list(preload)
        self._slots: dict[str, _Slot] = {}
        self._handlers: dict[type, Callable[..., None]] = {
            Start: self._on_start,
            Stop: self._on_stop,
        }

    def run(self) -> int:
        channel = self._channel.fileno()
        wakeup = wake_on(signal.SIGCHLD)
        while True:
            patience = 0.0 if self._to_load else self._next_due()
            ready, _, _ = select.select([channel, wakeup], [], [], patience)
            if wakeup in ready:
                os.read(wakeup, 512)
                self._bury()
            if channel in ready:
                try:
                    request = self._channel.recv()
                except EOFError:
                    return 0
                self._handlers[type(request)](request)
            else:  # Nothing more is asked for at this moment.
                self._load_next()
            self._start_due()

    def _load_next(self) -> None:
        """Import the next module; after the last one, or a failure, tell the supervisor."""
        if not self._to_load:
            return
        error = _import(self._to_load.pop(0))
        if error:
            self._to_load.clear()
        if not self._to_load:
            _be_like_others()
            # Objects of the imports are never garbage: keeping the collector off them keeps
            # their pages shared with every service.
            gc.freeze()
            self._channel.send(Loaded(error))

    def _on_start(self, request: Start) -> None:
        running = self._slots.get(request.service.name)
        if running is None or running.pid is None:
            self._slots[request.service.name] = _Slot(request.service)

    def _on_stop(self, request: Stop) -> None:
        slot = self._slots[request.name]
        slot.wanted = False
        if slot.pid is not None:
            os.kill(slot.pid, request.signal)

    def _waiting(self) -> list[_Slot]:
        return [
            slot
            for slot in self._slots.values()
            if slot.wanted and slot.pid is None and slot.service.module in sys.modules
        ]

    def _next_due(self) -> float | None:
        waiting = self._waiting()
        if not waiting:
            return None
        return max(0.0, min(slot.due for slot in waiting) - time.monotonic())

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in self._waiting():
            if slot.due <= now:
                slot.pid = self._fork(slot.service)
                slot.born = now
                self._channel.send(Started(slot.service.name, slot.pid))

    def _fork(self, service: Service) -> int:
        pid = os.fork()
        if pid == 0:
            self._channel.close()
            _become(service)
        return pid

    def _bury(self) -> None:
        for slot in self._slots.values():
            if slot.pid is None:
                continue
            pid, status = os.waitpid(slot.pid, os.WNOHANG)
            if pid:
                self._ended(slot, os.waitstatus_to_exitcode(status))

    def _ended(self, slot: _Slot, code: int) -> None:
        now = time.monotonic()
        slot.pid = None
        if now - slot.born > SETTLED:
            slot.backoff = SHORTEST_BACKOFF
        slot.due = now + slot.backoff
        slot.backoff = min(slot.backoff * 2, LONGEST_BACKOFF)
        note(f"{slot.service.name} ended with code {code}")
        self._channel.send(Ended(slot.service.name, code, again=slot.wanted))


def _hurry() -> None:
    """Go first: the whole lab waits for the imports, and FRR's daemons start at the same time."""
    gc.disable()  # What an import makes is no garbage.
    with suppress(PermissionError):  # In a container without CAP_SYS_NICE.
        be(FIRST)


def _be_like_others() -> None:
    gc.enable()
    gc.set_threshold(*GARBAGE)
    be(0)


def _import(module: str) -> str:
    """Import a module; the traceback when that fails."""
    try:
        importlib.import_module(module)
    except Exception:  # noqa: BLE001 - whatever breaks an import is the supervisor's to report
        return traceback.format_exc()
    return ""


def _become(service: Service) -> NoReturn:
    """Run a service in its node's namespaces and cgroup, in a fresh fork of the fork server."""

    def main() -> int:
        hear_nothing(signal.SIGCHLD)
        os.setsid()
        _be_like_others()
        redirect_output(service.log)
        set_process_name(service.name)
        set_title(f"lab {service.lab}: {service.name}")
        os.environ.update(service.environment)
        cgroup = CGROUPS / service.node
        cgroup.mkdir(exist_ok=True)
        (cgroup / "cgroup.procs").write_text("0")
        enter(service.holder, Namespace.NET | Namespace.MOUNT | Namespace.UTS)
        function = service.entry.partition(":")[2]
        code: int = getattr(sys.modules[service.module], function)(service.argument)
        return code

    run_to_the_end(main)
