"""What came of a run: plain values that every report is made from. All times are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Verdict(str, Enum):
    """How a check, a step or a scenario ended."""

    HELD = "held"
    FAILED = "failed"
    """A check did not hold."""
    BROKEN = "broken"
    """The act itself could not be carried out: a tool failed, a lab did not come up."""
    SKIPPED = "skipped"
    """Not reached, because an earlier step did not hold."""


@dataclass(frozen=True)
class Phase:
    """One part of the bring-up and the time it took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Command:
    """A command as a person types it on a node, and all it printed."""

    node: str
    line: str
    output: str
    code: int


@dataclass(frozen=True)
class CheckResult:
    """One fact that had to hold. `bound` is None where the value was looked at only once."""

    what: str
    verdict: Verdict
    seconds: float
    wanted: str
    seen: str
    bound: str | None = None
    look: str = ""
    """Where to look when it does not hold."""


@dataclass
class StepResult:
    """A step as it went: commands and checks in the order in which they happened."""

    title: str
    words: str
    verdict: Verdict = Verdict.SKIPPED
    seconds: float = 0.0
    commands: list[Command] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)
    problem: str = ""
    """Why the step broke, where it did."""


@dataclass
class ScenarioResult:
    """One run of one scenario."""

    name: str
    title: str
    lab: str
    """Name of the lab that it ran in."""
    profile: str
    topology: str
    phases: list[Phase] = field(default_factory=list)
    up_after: float = 0.0
    """From the start until the lab was up; its phases overlap."""
    steps: list[StepResult] = field(default_factory=list)
    seconds: float = 0.0
    problem: str = ""
    """Why the lab did not come up, or did not go down cleanly."""
    artifacts: str = ""
    """Folder with what was collected after a failure."""

    @property
    def verdict(self) -> Verdict:
        verdicts = [step.verdict for step in self.steps]
        if self.problem or Verdict.BROKEN in verdicts:
            return Verdict.BROKEN
        return Verdict.FAILED if Verdict.FAILED in verdicts else Verdict.HELD

    @property
    def checks(self) -> list[CheckResult]:
        return [check for step in self.steps for check in step.checks]

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> ScenarioResult:
        """What to_json made."""
        fields = {name: value for name, value in plain.items() if name != "verdict"}
        phases = [Phase(**phase) for phase in fields.pop("phases")]
        steps = [_step(step) for step in fields.pop("steps")]
        return cls(phases=phases, steps=steps, **fields)

    def to_json(self) -> dict[str, Any]:
        """Plain values for json.dumps, verdicts of the whole and the parts included."""
        plain = _plain(self)
        assert isinstance(plain, dict)
        return {"name": self.name, "verdict": self.verdict.value, **plain}


def _step(plain: Mapping[str, Any]) -> StepResult:
    fields = dict(plain)
    commands = [Command(**command) for command in fields.pop("commands")]
    checks = [
        CheckResult(**{**check, "verdict": Verdict(check["verdict"])})
        for check in fields.pop("checks")
    ]
    verdict = Verdict(fields.pop("verdict"))
    return StepResult(verdict=verdict, commands=commands, checks=checks, **fields)


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, (str, int, float)) or value is None:
        return value
    return {name: _plain(item) for name, item in vars(value).items()}


def printable(text: str) -> str:
    """Text that a terminal takes for text only and that XML 1.0 can hold: no control characters."""
    return "".join(char if char >= " " or char in "\t\n" else "?" for char in text)
