"""A bring-up as a table of phases, each with the phases it needs: independent ones overlap."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from lab.sandbox.events import PhaseEvent


@dataclass(frozen=True)
class Phase:
    """A step of a bring-up. It runs when all of `after` are done."""

    name: str
    run: Callable[[], None]
    after: tuple[str, ...] = ()
    aside: bool = False
    """In a thread of its own; otherwise in the caller's thread, in the table's order."""


class _NeverRan(Exception):
    """A phase that this one needs has failed: that one tells why."""


def run_phases(phases: Sequence[Phase], tell: Callable[[PhaseEvent], None]) -> None:
    """Run all phases of a table, whose needs stand above them; raises the first error.

    Threads stay alive until the process ends, so that children that follow their thread
    (PR_SET_PDEATHSIG) live as long.
    """
    done: dict[str, Future[None]] = {}
    pool = ThreadPoolExecutor(max_workers=max(1, sum(phase.aside for phase in phases)))
    for phase in phases:
        needs = [done[name] for name in phase.after]
        if phase.aside:
            done[phase.name] = pool.submit(_step, phase, needs, tell)
        else:
            done[phase.name] = _in_this_thread(phase, needs, tell)
    errors = [future.exception() for future in done.values()]
    for error in errors:
        if error is not None and not isinstance(error, _NeverRan):
            raise error


def _in_this_thread(
    phase: Phase, needs: Sequence[Future[None]], tell: Callable[[PhaseEvent], None]
) -> Future[None]:
    outcome: Future[None] = Future()
    try:
        _step(phase, needs, tell)
    except BaseException as error:  # noqa: BLE001 - kept, and raised when the others have ended
        outcome.set_exception(error)
    else:
        outcome.set_result(None)
    return outcome


def _step(phase: Phase, needs: Sequence[Future[None]], tell: Callable[[PhaseEvent], None]) -> None:
    for need in needs:
        if need.exception() is not None:
            raise _NeverRan
    start = time.monotonic()
    tell(PhaseEvent(phase.name, "started"))
    try:
        phase.run()
    except BaseException:
        tell(PhaseEvent(phase.name, "failed", time.monotonic() - start))
        raise
    tell(PhaseEvent(phase.name, "done", time.monotonic() - start))
