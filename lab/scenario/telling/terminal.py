"""A run told to a person at a terminal: words, commands with their output, verdicts, a table.

Lines of the lab itself stay under 100 columns, and within a narrower terminal; what a tool
printed is shown as it is.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from lab.scenario.telling.junit import failure_text
from lab.scenario.telling.outcome import (
    CheckResult,
    Command,
    Phase,
    ScenarioResult,
    StepResult,
    Verdict,
    printable,
)
from lab.scenario.telling.report import Report

WIDTH = 96
NARROWEST = 40
INDENT = "   "

THEME = Theme(
    {
        "title": "bold",
        "held": "green",
        "failed": "bold red",
        "broken": "bold red",
        "skipped": "yellow",
        "node": "cyan",
        "command": "bold",
        "output": "default",
        "time": "dim",
        "aside": "dim",
    }
)
MARKS = {Verdict.HELD: "✓", Verdict.FAILED: "✗", Verdict.BROKEN: "!", Verdict.SKIPPED: "-"}


class Terminal(Report):
    """Prints a run as it goes on; `progress` is for what replaces itself on a terminal."""

    def __init__(self, out: Console, progress: Console) -> None:
        self._out = out
        self._progress = progress
        self._width = _width(out)
        self._after_empty = False
        self._running: list[str] = []
        """Phases that have begun and not ended; they overlap."""
        out.push_theme(THEME)
        progress.push_theme(THEME)

    def scenario_begins(self, result: ScenarioResult) -> None:
        self._line((result.name, "title"), (f"  {result.title}", "default"))
        self._line((f"topology {result.topology}, profile {result.profile}", "aside"))
        self._line()

    def phase_begins(self, name: str) -> None:
        self._running.append(name)
        self._show_running()

    def phase_ends(self, phase: Phase) -> None:
        self._running.remove(phase.name)
        self._timed(f"{INDENT}  ", "default", phase.name, phase.seconds)
        self._show_running()

    def lab_is_up(self, result: ScenarioResult) -> None:
        self._timed(f"{INDENT}{MARKS[Verdict.HELD]} ", "held", "the lab is up", result.up_after)

    def step_begins(self, number: int, step: StepResult) -> None:
        self._line()
        self._line((f"{number:>2} {step.title}", "title"))
        self._words(step.words)

    def said(self, text: str) -> None:
        self._line()
        self._words(text)

    def command_ran(self, command: Command) -> None:
        self._line()
        self._line((f"{INDENT}{command.node}$ ", "node"), (command.line, "command"))
        for line in printable(command.output).strip("\n").splitlines():
            self._line((f"{INDENT}{line}".rstrip(), "output"))
        if not command.output:
            code = f", exit code {command.code}" if command.code else ""
            self._line((f"{INDENT}(no output{code})", "aside"))
        self._line()

    def check_ended(self, check: CheckResult) -> None:
        style = check.verdict.value
        self._timed(f"{INDENT}{MARKS[check.verdict]} ", style, check.what, check.seconds)
        if check.verdict is not Verdict.HELD:
            for line in failure_text(check).splitlines():
                self._line((f"{INDENT}    {line}", style))

    def step_ends(self, step: StepResult) -> None:
        if step.problem:
            for line in step.problem.splitlines():
                self._line((f"{INDENT}{MARKS[Verdict.BROKEN]} {line}", "broken"))

    def scenario_ends(self, result: ScenarioResult) -> None:
        if result.checks:
            self._out.print(_table(result, self._width))
        for line in result.problem.splitlines():
            self._line((f"{INDENT}{line}", "broken"))
        self._line(*_summary(result))
        if result.artifacts:
            self._line((f"what the lab could still tell is in {result.artifacts}", "default"))

    def _show_running(self) -> None:
        """Tell on a terminal what goes on, on a line that the next one replaces."""
        if self._progress.is_terminal:
            text = f"{INDENT}  {', '.join(self._running)} ..." if self._running else ""
            width = _width(self._progress)
            self._progress.print(Text(text[:width].ljust(width), "aside"), end="\r")

    def _words(self, words: str) -> None:
        for paragraph in words.split("\n\n"):
            for line in textwrap.wrap(paragraph, self._width - len(INDENT)):
                self._line((f"{INDENT}{line}", "default"))

    def _timed(self, mark: str, style: str, what: str, seconds: float) -> None:
        room = self._width - len(mark) - 9
        *above, last = textwrap.wrap(what, room) or [""]
        for part in above:
            self._line((mark, style), (part, "default"))
            mark = " " * len(mark)
        self._line((mark, style), (last.ljust(room), "default"), (f"{seconds:7.2f} s", "time"))

    def _line(self, *parts: tuple[str, str]) -> None:
        """Print a line; of several empty ones in a row, only the first."""
        if parts or not self._after_empty:
            self._out.print(Text.assemble(*parts))
        self._after_empty = not parts


def overview(out: Console, results: Sequence[ScenarioResult]) -> None:
    """A line for each run: how it ended, its checks, its time."""
    for result in results:
        verdict = result.verdict
        line = Text.assemble(
            (f"{MARKS[verdict]} ", verdict.value),
            f"{result.name:<20} {verdict.value:<8} {len(result.checks):>3} checks ",
            (f"{result.seconds:7.1f} s", "default"),
            (f"  lab {result.lab}", "default") if result.lab != result.name else "",
        )
        with out.use_theme(THEME):
            out.print(line)
            if verdict is not Verdict.HELD:
                for text in _reasons(result):
                    out.print(Text(f"    {text}", verdict.value))


def _reasons(result: ScenarioResult) -> Iterator[str]:
    """Why a run did not hold, and where what was collected is, a line each."""
    yield from result.problem.splitlines()
    for step in result.steps:
        yield from step.problem.splitlines()
        for check in step.checks:
            if check.verdict is Verdict.FAILED:
                yield f"{step.title}: {check.what}"
                yield from failure_text(check).splitlines()
    if result.artifacts:
        yield f"collected in {result.artifacts}"


def _width(console: Console) -> int:
    """Columns for lines of the lab's own; a terminal's last one stays free, or it would wrap."""
    if not console.is_terminal:
        return WIDTH
    return min(WIDTH, max(NARROWEST, console.width - 1))


def _table(result: ScenarioResult, width: int) -> Table:
    """Every check in order with the number of its step, its verdict and its time."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, width=width)
    table.add_column("step", justify="right")
    table.add_column("check", ratio=1)
    table.add_column("verdict")
    table.add_column("time", justify="right", style="time")
    for number, step in enumerate(result.steps, 1):
        for check in step.checks:
            verdict = Text(check.verdict.value, check.verdict.value)
            table.add_row(str(number), Text(check.what), verdict, f"{check.seconds:.2f} s")
        if not step.checks or step.verdict is Verdict.BROKEN:
            verdict = Text(step.verdict.value, step.verdict.value)
            table.add_row(str(number), step.title, verdict, f"{step.seconds:.2f} s")
    return table


def _summary(result: ScenarioResult) -> list[tuple[str, str]]:
    held = sum(check.verdict is Verdict.HELD for check in result.checks)
    checks = f"{held} check{'s' if held != 1 else ''} held"
    told = {
        Verdict.HELD: checks,
        Verdict.FAILED: f"{checks}, then one failed",
        Verdict.BROKEN: f"{checks}, then it broke",
    }[result.verdict]
    return [
        (f"{MARKS[result.verdict]} {result.name}", result.verdict.value),
        (f": {told}, {result.seconds:.1f} s in all", "default"),
    ]
