"""The supervisor: brings a lab up, phase by phase, and answers for it on the control socket."""

from __future__ import annotations

import importlib
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import Pipe
from typing import Any

from lab.errors import LabError, SandboxError
from lab.sandbox.control import ControlServer, Handler
from lab.sandbox.events import Event, EventWriter, Failed, PhaseEvent, Ready, failure
from lab.sandbox.fork_server import serve
from lab.sandbox.phases import run_phases
from lab.sandbox.pid1 import Crew
from lab.sandbox.rundir import RunDir, write_json
from lab.sandbox.services import Services
from lab.topology.plan import Plan

LONGEST_WAIT = 120.0
"""Seconds that a client may wait for a lab to be ready."""


@dataclass
class Site:
    """What the phases of a bring-up work on."""

    run: RunDir
    plan: Plan
    services: Services
    note: Callable[[str, str], None]
    """Tells progress within a phase: the phase and a few words."""
    holders: Mapping[str, int] = field(default_factory=dict)
    """The process that holds each node's namespaces, read anew each time: a node may reboot."""


@dataclass(frozen=True)
class Program:
    """Which code the sandbox's processes load, by name: the command line must not import it."""

    phases: str = "lab.sandbox.bringup:phases"
    """`module:function` from a Site to its phases."""
    handlers: str = "lab.sandbox.bringup:handlers"
    """`module:function` from a Site to what the control socket takes beyond `status`."""
    preload: tuple[str, ...] = ("lab.kube.main", "lab.agent.main")
    """What the fork server imports."""


def crew(run: RunDir, plan: Plan, program: Program) -> Crew:
    """The children of a lab's PID 1."""

    def members(events: EventWriter) -> Mapping[str, Callable[[], int]]:
        ours, theirs = Pipe()

        def services() -> int:
            ours.close()
            events.close()
            return serve(theirs, program.preload)

        def supervisor() -> int:
            theirs.close()
            return Supervisor(Site(run, plan, Services(ours), _nothing), events, program).run()

        return {"services": services, "supervisor": supervisor}

    return members


def _nothing(_phase: str, _words: str) -> None:
    """Progress before anybody listens."""


class Supervisor:
    """One lab's bring-up and its state."""

    def __init__(self, site: Site, events: EventWriter, program: Program) -> None:
        self._site = site
        self._events = events
        self._program = program
        self._began = time.time()
        self._start = time.monotonic()
        self._phases: dict[str, PhaseEvent] = {}
        self._ready = threading.Event()
        site.note = lambda phase, words: self._tell(PhaseEvent(phase, "note", note=words))

    def run(self) -> int:
        """Bring the lab up and stay; returns only when the bring-up failed."""
        try:
            self._serve()
            self._save("starting")
            run_phases(self._load(self._program.phases), self._tell)
        except LabError as error:
            traceback.print_exc()
            return self._fail(failure(error))
        except Exception as error:  # noqa: BLE001 - the top of a process; nobody else would tell
            traceback.print_exc()
            log = self._site.run.log("supervisor")
            words = f"{type(error).__name__}: {error}\n  this is a defect; the details are in {log}"
            return self._fail(Failed(words, LabError.exit_code))
        self._save("ready")
        self._ready.set()
        self._send(Ready(time.monotonic() - self._start))
        self._events.close()
        while True:
            signal.pause()

    def _serve(self) -> None:
        handlers: dict[str, Handler] = {"status": self._status, "wait-ready": self._wait_ready}
        handlers.update(self._load(self._program.handlers))
        ControlServer(self._site.run.control, handlers)

    def _load(self, entry: str) -> Any:
        module, function = entry.split(":")
        return getattr(importlib.import_module(module), function)(self._site)

    def _fail(self, event: Failed) -> int:
        self._save("failed")
        self._send(event)
        return 1

    def _tell(self, event: PhaseEvent) -> None:
        self._phases[event.phase] = event
        self._send(event)
        if event.state == "done":
            self._save("starting")

    def _send(self, event: Event) -> None:
        self._events.send(event)

    def _save(self, state: str) -> None:
        write_json(
            self._site.run.state,
            {"state": state, "began": self._began, "holders": dict(self._site.holders)},
        )

    def _status(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        services = self._site.services
        return {
            "name": self._site.run.name,
            "topology": self._site.plan.name,
            "state": "ready" if self._ready.is_set() else "starting",
            "began": self._began,
            "nodes": dict(self._site.holders),
            "services": dict(services.pids()),
            "restarts": dict(services.restarts()),
            "phases": {name: vars(event) for name, event in self._phases.items()},
        }

    def _wait_ready(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        within = min(float(request.get("within", LONGEST_WAIT)), LONGEST_WAIT)
        if not self._ready.wait(timeout=within):
            raise SandboxError(f"lab {self._site.run.name} is not ready after {within:g} s")
        return {}
