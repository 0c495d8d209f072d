"""The supervisor: brings a lab up, phase by phase, and answers for it on the control socket."""

from __future__ import annotations

import importlib
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from multiprocessing import Pipe
from typing import Any

from lab.errors import LabError
from lab.sandbox.control import ControlServer, Handler
from lab.sandbox.events import EventWriter, Failed, PhaseEvent, Ready, failure
from lab.sandbox.fork_server import serve
from lab.sandbox.member import CODE
from lab.sandbox.phases import run_phases
from lab.sandbox.pid1 import Crew
from lab.sandbox.rundir import RunDir
from lab.sandbox.services import Services
from lab.sandbox.site import Site
from lab.topology.plan import Plan

PHASES = "lab.sandbox.bringup:phases"
HANDLERS = "lab.sandbox.faults:handlers"
"""`module:function`, called with the Site: the phases of the bring-up, and what the control socket
takes beyond `status`. By name, because the command line must not import so much.
"""


def crew(run: RunDir, plan: Plan) -> Crew:
    """The children of a lab's PID 1."""

    def members(events: EventWriter) -> Mapping[str, Callable[[], int]]:
        ours, theirs = Pipe()

        def services() -> int:
            ours.close()
            events.close()
            return serve(theirs, CODE if plan.cluster else ())

        def supervisor() -> int:
            theirs.close()
            site = Site(run, plan, Services(ours), time.time())
            return Supervisor(site, events).run()

        return {"services": services, "supervisor": supervisor}

    return members


class Supervisor:
    """One lab's bring-up and its state."""

    def __init__(self, site: Site, events: EventWriter) -> None:
        self._site = site
        self._events = events
        self._start = time.monotonic()
        self._phases: dict[str, PhaseEvent] = {}

    def run(self) -> int:
        """Bring the lab up and stay; returns only when the bring-up failed."""
        try:
            self._serve()
            self._site.save()
            run_phases(self._load(PHASES), self._tell)
        except LabError as error:
            traceback.print_exc()
            return self._fail(failure(error))
        except Exception as error:  # noqa: BLE001 - the top of a process; nobody else would tell
            traceback.print_exc()
            log = self._site.run.log("supervisor")
            words = f"{type(error).__name__}: {error}\n  this is a defect; the details are in {log}"
            return self._fail(Failed(words, LabError.exit_code))
        self._site.enter_state("ready")
        self._events.send(Ready(time.monotonic() - self._start))
        self._events.close()
        while True:
            signal.pause()

    def _serve(self) -> None:
        handlers: dict[str, Handler] = {"status": self._status}
        handlers.update(self._load(HANDLERS))
        ControlServer(self._site.run.control, handlers)

    def _load(self, entry: str) -> Any:
        module, function = entry.split(":")
        return getattr(importlib.import_module(module), function)(self._site)

    def _fail(self, event: Failed) -> int:
        self._site.enter_state("failed")
        self._events.send(event)
        return 1

    def _tell(self, event: PhaseEvent) -> None:
        self._phases[event.phase] = event
        self._events.send(event)

    def _status(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        services = self._site.services
        return {
            "name": self._site.run.name,
            "topology": self._site.plan.name,
            "state": self._site.state,
            "began": self._site.began,
            "nodes": self._site.holders(),
            "services": dict(services.pids()),
            "restarts": dict(services.restarts()),
            "phases": {name: vars(event) for name, event in self._phases.items()},
        }
