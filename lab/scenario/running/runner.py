"""Running one scenario: the lab comes up, the steps are taken, the lab goes down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.errors import InputError, LabError, MachineError
from lab.sandbox.place import Place
from lab.scenario.stage import CheckFailed, Stage
from lab.scenario.story import Scenario, Step
from lab.scenario.telling.outcome import Phase, ScenarioResult, StepResult, Verdict
from lab.scenario.telling.report import Report

Collect = Callable[[Place], str]
"""Gathers what a failed lab can still tell, and returns the folder it put it in."""


@dataclass(frozen=True)
class Request:
    """What to run and how."""

    name: str
    scenario: Scenario
    lab: str
    """Name of the lab to bring up."""
    manifests: Path
    keep: bool = False


OnPhase = Callable[[str, float | None], None]
"""Told a phase's name when it begins (None) and again with its seconds when it has ended."""

BringUp = Callable[[Request, OnPhase], AbstractContextManager[Place]]
"""Brings up a lab for the length of a `with` block, or beyond it when it is to be kept."""


def run(request: Request, bring_up: BringUp, report: Report, collect: Collect) -> ScenarioResult:
    """Run a scenario to its end, whatever happens, and return what came of it.

    InputError and MachineError are raised: nothing was started.
    """
    scenario = request.scenario
    result = ScenarioResult(
        name=request.name,
        title=scenario.title,
        lab=request.lab,
        profile=scenario.profile,
        topology=scenario.topology,
        steps=[StepResult(step.title, step.words) for step in scenario.steps],
    )
    start = time.monotonic()
    report.scenario_begins(result)
    try:
        with bring_up(request, _phases(result, report)) as lab:
            result.up_after = time.monotonic() - start
            report.lab_is_up(result)
            _steps(request, lab, result, report)
            if result.verdict is not Verdict.HELD:
                result.artifacts = collect(lab)
    except (InputError, MachineError):
        raise
    except LabError as error:
        result.problem = str(error)
    result.seconds = time.monotonic() - start
    report.scenario_ends(result)
    return result


def _phases(result: ScenarioResult, report: Report) -> OnPhase:
    def told(name: str, seconds: float | None) -> None:
        if seconds is None:
            report.phase_begins(name)
        else:
            result.phases.append(Phase(name, seconds))
            report.phase_ends(result.phases[-1])

    return told


def _steps(request: Request, lab: Place, result: ScenarioResult, report: Report) -> None:
    for manifest in request.scenario.manifests:
        with _phase(f"kubectl apply -f {manifest}", result, report):
            _apply(request, lab, manifest)
    for number, (step, outcome) in enumerate(
        zip(request.scenario.steps, result.steps, strict=True), 1
    ):
        report.step_begins(number, outcome)
        _take(step, outcome, Stage(lab, outcome, report, request.manifests))
        report.step_ends(outcome)
        if outcome.verdict is not Verdict.HELD:
            return


def _apply(request: Request, lab: Place, manifest: str) -> None:
    quiet = Stage(lab, StepResult("", ""), Report(), request.manifests)
    quiet.run(quiet.control, f"kubectl apply -f {request.manifests / manifest}")


@contextmanager
def _phase(name: str, result: ScenarioResult, report: Report) -> Iterator[None]:
    told = _phases(result, report)
    told(name, None)
    start = time.monotonic()
    yield
    told(name, time.monotonic() - start)


def _take(step: Step, outcome: StepResult, stage: Stage) -> None:
    start = time.monotonic()
    try:
        step.act(stage)
        outcome.verdict = Verdict.HELD
    except CheckFailed:
        outcome.verdict = Verdict.FAILED
    except LabError as error:
        outcome.verdict = Verdict.BROKEN
        outcome.problem = str(error)
    outcome.seconds = time.monotonic() - start
