"""What people and machines are told of a run."""

from __future__ import annotations

import io
from xml.etree import ElementTree as Xml

from rich.console import Console

from lab.scenario.telling.junit import render
from lab.scenario.telling.outcome import (
    CheckResult,
    Command,
    Phase,
    ScenarioResult,
    StepResult,
    Verdict,
)
from lab.scenario.telling.terminal import Terminal, overview

HELD = CheckResult("six next hops", Verdict.HELD, 0.41, "a, b", "a, b", "10 s (a route)")
FAILED = CheckResult(
    "one answer", Verdict.FAILED, 3.0, "200", "nothing", "3 s (an answer)", "`curl` on client1"
)


def sample() -> ScenarioResult:
    return ScenarioResult(
        name="basic",
        title="A story",
        lab="basic",
        profile="cilium-1.10",
        topology="basic",
        phases=[Phase("network", 0.25)],
        up_after=0.25,
        steps=[
            StepResult("Routes", "w " * 80, Verdict.HELD, 0.5, checks=[HELD]),
            StepResult(
                "Answers",
                "",
                Verdict.FAILED,
                3.1,
                commands=[Command("client1", "curl -s x", "\x1b[31mred", 7)],
                checks=[FAILED],
            ),
            StepResult("Later", ""),
        ],
        seconds=4.0,
    )


def told(result: ScenarioResult, *, width: int = 100, terminal: bool = False) -> str:
    text = io.StringIO()
    console = Console(
        file=text,
        width=width,
        highlight=False,
        soft_wrap=True,
        force_terminal=terminal,
        color_system=None,
    )
    report = Terminal(console, console)
    report.scenario_begins(result)
    for phase in result.phases:
        report.phase_begins(phase.name)
        report.phase_ends(phase)
    for number, step in enumerate(result.steps, 1):
        report.step_begins(number, step)
        for command in step.commands:
            report.command_ran(command)
        for check in step.checks:
            report.check_ended(check)
        report.step_ends(step)
    report.scenario_ends(result)
    return text.getvalue()


def test_terminal_tells_the_story() -> None:
    text = told(sample())
    assert " 1 Routes" in text
    assert "   client1$ curl -s x" in text
    assert "   ✓ six next hops" in text
    assert "0.41 s" in text
    assert "wanted: 200" in text
    assert "seen:   nothing" in text
    assert "for:    3 s (an answer)" in text
    assert "look:   `curl` on client1" in text
    assert "✗ basic: 1 check held, then one failed, 4.0 s in all" in text


def test_terminal_stays_under_100_columns_and_shows_no_escapes_of_tools() -> None:
    text = told(sample())
    assert max(map(len, text.splitlines())) < 100
    assert "\x1b" not in text


def test_lines_fit_a_narrow_terminal() -> None:
    text = told(sample(), width=80, terminal=True)
    assert max(len(line) for line in text.replace("\r", "\n").splitlines()) < 80
    assert "   ✓ six next hops" in text


def test_overview_names_the_reason() -> None:
    text = io.StringIO()
    overview(Console(file=text, width=100, soft_wrap=True), [sample()])
    assert "failed" in text.getvalue()
    assert "Answers: one answer" in text.getvalue()


def test_junit() -> None:
    root = Xml.fromstring(render([sample()]))
    (suite,) = root.findall("testsuite")
    assert suite.attrib["name"] == "basic"
    assert [suite.attrib[key] for key in ("tests", "failures", "errors", "skipped")] == [
        "4",
        "1",
        "0",
        "1",
    ]
    lab, routes, answers, later = suite.findall("testcase")
    assert lab.attrib == {"classname": "basic", "name": "the lab", "time": "0.250"}
    assert list(routes) == []
    failure = answers.find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "one answer"
    assert "seen:   nothing" in (failure.text or "")
    assert "?[31mred" in (answers.findtext("system-out") or "")
    assert later.find("skipped") is not None


def test_junit_tells_where_what_was_collected_is() -> None:
    result = sample()
    result.artifacts = "failed/basic"
    suite = Xml.fromstring(render([result])).find("testsuite")
    assert suite is not None
    assert suite.findtext("system-out") == "collected in failed/basic"


def test_junit_tells_why_a_lab_did_not_come_up() -> None:
    result = sample()
    result.problem = "no namespaces\n  today"
    root = Xml.fromstring(render([result]))
    error = root.find("testsuite/testcase/error")
    assert error is not None
    assert error.attrib["message"] == "no namespaces"
