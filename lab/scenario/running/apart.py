"""One run in a process of its own, so that several can go on side by side."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lab import shell
from lab.errors import InputError, LabError, MachineError
from lab.repository import REPOSITORY
from lab.scenario.running.batch import Turn
from lab.scenario.telling.outcome import ScenarioResult

LONGEST = 900.0
"""Seconds that one scenario may take."""


def run_apart(turn: Turn, artifacts: Path | None) -> ScenarioResult:
    """Run one scenario as `lab run -o json` and read what it tells.

    InputError and MachineError as that process ended with them; LabError when it told nothing.
    """
    extra = ["--artifacts", str(artifacts.resolve())] if artifacts else []
    words = ["run", turn.scenario, "--name", turn.lab, "-o", "json", *extra]
    done = shell.probe([sys.executable, "-m", "lab", *words], timeout=LONGEST, cwd=REPOSITORY)
    if done.code == InputError.exit_code:
        raise InputError(_message(done.err))
    if done.code == MachineError.exit_code:
        raise LabError(_message(done.err))
    try:
        (told,) = json.loads(done.out)
    except ValueError as exc:
        raise LabError(f"scenario {turn.scenario} told no result:\n{done.err}") from exc
    return ScenarioResult.from_json(told)


def _message(text: str) -> str:
    return text.strip().removeprefix("error: ")
