"""The engine on a lab that answers from a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.errors import InputError, SandboxError
from lab.sandbox.place import Place
from lab.scenario.bounds import Bound
from lab.scenario.running.apart import run_apart
from lab.scenario.running.batch import Turn
from lab.scenario.running.runner import OnPhase, Request, run
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.telling.outcome import ScenarioResult, Verdict
from lab.scenario.wanted import at_least

from .fakes import FakeLab, Remembering

SOON = Bound("a thing happens", 5)
NEVER = Bound("a thing happens", 0.01, "the thing's own log")


def play(scenario: Scenario, lab: FakeLab) -> tuple[ScenarioResult, list[str]]:
    @contextmanager
    def bring_up(request: Request, on_phase: OnPhase) -> Iterator[Place]:
        on_phase("network", None)
        on_phase("network", 0.25)
        yield lab

    report = Remembering()
    request = Request("story", scenario, "story", Path("/nowhere"))
    result = run(request, bring_up, report, lambda _: "/collected")
    return result, report.told


def test_steps_in_order_with_what_they_did() -> None:
    scenario = Scenario("Two looks")

    @scenario.step("First")
    def first(stage: Stage) -> None:
        """Words of the first
        step."""
        seen = stage.show("r1", "hostname")
        stage.holds("its name", seen.out, "r1\n")

    @scenario.step("Second")
    def second(stage: Stage) -> None:
        stage.becomes("ready", lambda: stage.run("r1", "state").out, "up", within=SOON)

    result, told = play(scenario, FakeLab(hostname=["r1\n"], state=["down", "down", "up"]))
    assert told == [
        "begin story",
        "phase network",
        "step 1 First",
        "r1$ hostname",
        "its name: held",
        "step 2 Second",
        "ready: held",
        "end held",
    ]
    assert result.verdict is Verdict.HELD
    assert result.steps[0].words == "Words of the first\nstep."
    assert result.steps[0].commands[0].output == "r1"
    assert result.steps[1].checks[0].bound == "5 s (a thing happens)"
    assert result.artifacts == ""


def test_a_failed_check_ends_the_scenario_and_says_what_was_seen() -> None:
    scenario = Scenario("A failure")

    @scenario.step("Too few")
    def few(stage: Stage) -> None:
        stage.becomes(
            "hops", lambda: {"b", "a"}, {"a", "b", "c"}, within=NEVER, look="`ip route` on r1"
        )

    @scenario.step("Never reached")
    def later(stage: Stage) -> None:
        stage.holds("anything", 1, 1)

    result, told = play(scenario, FakeLab())
    (check,) = result.checks
    assert check.verdict is Verdict.FAILED
    assert (check.wanted, check.seen) == ("a, b, c", "a, b")
    assert check.look == "`ip route` on r1"
    assert check.seconds >= 0.01
    assert [step.verdict for step in result.steps] == [Verdict.FAILED, Verdict.SKIPPED]
    assert result.verdict is Verdict.FAILED
    assert result.artifacts == "/collected"
    assert told[-1] == "end failed"


def test_a_bound_that_passes_tells_where_to_look() -> None:
    scenario = Scenario("Late")

    @scenario.step("Too late")
    def late(stage: Stage) -> None:
        stage.show("r1", "hostname")
        stage.becomes("hops", lambda: 1, 2, within=NEVER)

    result, _ = play(scenario, FakeLab(hostname=["r1\n"]))
    (check,) = result.checks
    assert check.look == "the thing's own log"


def test_a_tool_that_fails_is_not_a_failed_check() -> None:
    scenario = Scenario("A missing tool")

    @scenario.step("Look")
    def look(stage: Stage) -> None:
        stage.becomes("routes", lambda: stage.run("r1", "ip route").out, "x", within=SOON)

    result, _ = play(scenario, FakeLab())
    assert result.verdict is Verdict.BROKEN
    assert result.checks == []
    assert "ip: not found" in result.steps[0].problem


def test_a_command_may_fail_when_it_is_shown() -> None:
    scenario = Scenario("A refusal")

    @scenario.step("Look")
    def look(stage: Stage) -> None:
        stage.holds("its code", stage.show("r1", "curl nowhere").code, 127)

    result, _ = play(scenario, FakeLab())
    assert result.verdict is Verdict.HELD
    assert result.steps[0].commands[0].output == "curl: not found"


def test_a_lab_that_does_not_come_up() -> None:
    scenario = Scenario("Nothing")
    scenario.step("Never")(lambda stage: None)

    @contextmanager
    def bring_up(request: Request, on_phase: OnPhase) -> Iterator[Place]:
        raise SandboxError("no namespaces today")
        yield

    report = Remembering()
    request = Request("story", scenario, "story", Path("/nowhere"))
    result = run(request, bring_up, report, lambda _: "")
    assert result.verdict is Verdict.BROKEN
    assert result.problem == "no namespaces today"
    assert result.steps[0].verdict is Verdict.SKIPPED


def test_wrong_input_is_not_a_result() -> None:
    scenario = Scenario("Nothing")
    scenario.step("Never")(lambda stage: None)

    @contextmanager
    def bring_up(request: Request, on_phase: OnPhase) -> Iterator[Place]:
        raise InputError("a lab named story runs already")
        yield

    with pytest.raises(InputError, match="runs already"):
        run(
            Request("story", scenario, "story", Path("/nowhere")),
            bring_up,
            Remembering(),
            lambda _: "",
        )


def test_results_survive_json() -> None:
    scenario = Scenario("Once more")

    @scenario.step("Look")
    def look(stage: Stage) -> None:
        stage.show("r1", "hostname")
        stage.holds("a number", 3, at_least(2))

    result, _ = play(scenario, FakeLab(hostname=["r1\n"]))
    plain = result.to_json()
    assert plain["verdict"] == "held"
    assert plain["steps"][0]["checks"][0]["wanted"] == "at least 2"
    assert ScenarioResult.from_json(plain) == result


def test_a_run_in_a_process_of_its_own_ends_as_that_process() -> None:
    with pytest.raises(InputError, match="no scenario 'nosuch'"):
        run_apart(Turn("nosuch", "nosuch-1"), None)
