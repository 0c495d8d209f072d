"""Results as JUnit XML, one test case a step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as Xml

from lab.scenario.telling.outcome import CheckResult, ScenarioResult, StepResult, Verdict, printable


def render(results: Sequence[ScenarioResult]) -> str:
    """A <testsuites> document; a scenario is a suite, its bring-up and its steps are the cases."""
    root = Xml.Element("testsuites")
    for result in results:
        root.append(_suite(result))
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def write(results: Sequence[ScenarioResult], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(results), encoding="utf-8")


def failure_text(check: CheckResult) -> str:
    """What was wanted, what was seen, for how long, and where to look."""
    facts = {
        "wanted": check.wanted,
        "seen": check.seen,
        "for": check.bound or "looked at once",
        "look": check.look,
    }
    return "\n".join(f"{name + ':':<8}{_aligned(text)}" for name, text in facts.items())


def _aligned(text: str) -> str:
    """Further lines of a text below the first one."""
    return text.strip("\n").replace("\n", "\n" + " " * 8)


def _suite(result: ScenarioResult) -> Xml.Element:
    cases = [_bring_up(result), *(_case(result.name, step) for step in result.steps)]
    suite = Xml.Element(
        "testsuite",
        name=result.name,
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time=f"{result.seconds:.3f}",
    )
    suite.extend(cases)
    if result.artifacts:
        Xml.SubElement(suite, "system-out").text = f"collected in {result.artifacts}"
    return suite


def _bring_up(result: ScenarioResult) -> Xml.Element:
    time = f"{result.up_after:.3f}"
    case = Xml.Element("testcase", classname=result.name, name="the lab", time=time)
    if result.problem:
        _child(case, "error", result.problem)
    return case


def _case(name: str, step: StepResult) -> Xml.Element:
    case = Xml.Element("testcase", classname=name, name=step.title, time=f"{step.seconds:.3f}")
    for check in step.checks:
        if check.verdict is Verdict.FAILED:
            Xml.SubElement(case, "failure", message=check.what).text = failure_text(check)
    if step.verdict is Verdict.BROKEN:
        _child(case, "error", step.problem)
    if step.verdict is Verdict.SKIPPED:
        Xml.SubElement(case, "skipped", message="an earlier step did not hold")
    output = "\n".join(f"{c.node}$ {c.line}\n{c.output}" for c in step.commands)
    if output:
        Xml.SubElement(case, "system-out").text = printable(output)
    return case


def _child(case: Xml.Element, tag: str, text: str) -> None:
    lines = text.splitlines() or [""]
    Xml.SubElement(case, tag, message=printable(lines[0])).text = printable(text)
