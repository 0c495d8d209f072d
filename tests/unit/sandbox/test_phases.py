from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from lab.errors import SandboxError
from lab.sandbox.events import PhaseEvent
from lab.sandbox.phases import Phase, run_phases

PATIENCE = 10.0


def noting(log: list[str], word: str) -> Callable[[], None]:
    return lambda: log.append(word)


def failing(message: str) -> Callable[[], None]:
    def fail() -> None:
        raise SandboxError(message)

    return fail


def nothing(_: PhaseEvent) -> None:
    """Nobody listens."""


def test_phases_run_in_the_order_of_the_table() -> None:
    log: list[str] = []
    run_phases([Phase(word, noting(log, word)) for word in ("a", "b", "c")], nothing)
    assert log == ["a", "b", "c"]


def test_a_phase_waits_for_the_one_aside_that_it_needs() -> None:
    log: list[str] = []
    gate = threading.Event()

    def slow() -> None:
        assert gate.wait(PATIENCE)
        log.append("slow")

    def fast() -> None:
        log.append("fast")
        gate.set()

    table = [
        Phase("slow", slow, aside=True),
        Phase("fast", fast),
        Phase("last", noting(log, "last"), after=("slow",)),
    ]
    run_phases(table, nothing)
    assert log == ["fast", "slow", "last"]


def test_phases_aside_overlap() -> None:
    meeting = threading.Barrier(3, timeout=PATIENCE)

    def meet() -> None:
        meeting.wait()

    table = [
        Phase("one", meet, aside=True),
        Phase("two", meet, aside=True),
        Phase("here", meet),
    ]
    run_phases(table, nothing)
    assert not meeting.broken


def test_main_phases_stay_in_the_callers_thread() -> None:
    seen: list[threading.Thread] = []
    run_phases([Phase("here", lambda: seen.append(threading.current_thread()))], nothing)
    assert seen == [threading.current_thread()]


def test_the_failed_phase_is_raised_and_what_needs_it_never_runs() -> None:
    log: list[str] = []
    table = [
        Phase("bad", failing("no luck"), aside=True),
        Phase("needs bad", noting(log, "needs bad"), after=("bad",)),
        Phase("needs that", noting(log, "needs that"), after=("needs bad",), aside=True),
        Phase("free", noting(log, "free")),
    ]
    with pytest.raises(SandboxError, match="no luck"):
        run_phases(table, nothing)
    assert log == ["free"]


def test_each_phase_is_told_with_its_outcome() -> None:
    told: list[tuple[str, str]] = []
    table = [
        Phase("good", lambda: None),
        Phase("bad", failing("x")),
        Phase("never", lambda: None, after=("bad",)),
    ]
    with pytest.raises(SandboxError):
        run_phases(table, lambda event: told.append((event.phase, event.state)))
    assert told == [
        ("good", "started"),
        ("good", "done"),
        ("bad", "started"),
        ("bad", "failed"),
    ]
