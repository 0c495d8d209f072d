"""The lab of a scenario: brought up in a sandbox of its own, and gone afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.sandbox.events import PhaseEvent
from lab.sandbox.handle import Lab
from lab.sandbox.launch import launch
from lab.sandbox.place import Place
from lab.sandbox.rundir import RunDir
from lab.scenario.running.runner import OnPhase, Request
from lab.topology.load import load
from lab.topology.resolve import resolve

TEARDOWN = "teardown"


@contextmanager
def bring_up(request: Request, on_phase: OnPhase) -> Iterator[Place]:
    """A lab of the scenario's topology and profile for the length of a `with` block.

    With `keep` it outlives the block and this process, unless the block ends by an exception.
    """
    scenario = request.scenario
    parameters: dict[str, Any] = {"profile": scenario.profile, **scenario.options}
    topology = load(scenario.topology, **parameters)

    def tell(event: PhaseEvent) -> None:
        if event.state == "started":
            on_phase(event.phase, None)
        elif event.state == "done":
            on_phase(event.phase, event.seconds)

    with launch(resolve(topology), request.lab) as lab:
        lab.follow(tell)
        yield Lab(RunDir.of(request.lab))
        if request.keep:
            lab.let_go()
            return
        on_phase(TEARDOWN, None)
        start = time.monotonic()
        lab.end()
        on_phase(TEARDOWN, time.monotonic() - start)
