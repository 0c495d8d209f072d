"""The labs of this machine, running and dead."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.sandbox.rundir import RunDir, all_run_dirs, is_held, read_json


@dataclass(frozen=True)
class Summary:
    """A lab in one line: of a dead one, only its name and logs are left."""

    name: str
    topology: str
    state: str
    """`starting`, `ready`, `failed` or `dead`."""
    nodes: int
    seconds: float
    """Since its start."""
    keeper: int


def summaries() -> list[Summary]:
    """All labs of this machine, running or dead, by name."""
    return [_summary(run) for run in all_run_dirs()]


def _summary(run: RunDir) -> Summary:
    plan, state, keeper = (read_json(path) for path in (run.plan, run.state, run.keeper))
    began = state.get("began")
    return Summary(
        name=run.name,
        topology=plan.get("name", ""),
        state=state.get("state", "starting") if is_held(run) else "dead",
        nodes=len(plan.get("nodes", ())),
        seconds=time.time() - began if began else 0.0,
        keeper=keeper.get("keeper", 0),
    )
