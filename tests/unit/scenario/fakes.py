"""A lab that answers from a table, and a report that remembers what it was told."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from lab.errors import CommandError
from lab.scenario.telling.outcome import CheckResult, Command, Phase, ScenarioResult, StepResult
from lab.scenario.telling.report import Report
from lab.shell import Child, Result
from lab.topology.plan import Interface, NodeKind, Plan, PlannedNode

LEG = Interface("eth0", "n", IPv4Interface("10.0.0.1/24"), "02:00:00:00:00:01")
PLAN = Plan(
    name="two",
    networks=(),
    nodes=(
        PlannedNode("r1", NodeKind.ROUTER, (LEG,), daemons=("zebra", "bgpd")),
        PlannedNode("k8s-control", NodeKind.CONTROL, ()),
        PlannedNode("k8s-worker1", NodeKind.WORKER, (), router_ip=IPv4Address("10.0.1.1")),
    ),
    cluster=None,
)


class Node:
    def __init__(self, name: str, answers: Mapping[str, Sequence[str]]) -> None:
        self._name = name
        self._left = {line: list(outputs) for line, outputs in answers.items()}

    def probe(
        self, argv: Sequence[str], *, input: str | None = None, timeout: float = 30
    ) -> Result:
        line = shlex.join(argv)
        outputs = self._left.get(line)
        if not outputs:
            return Result(tuple(argv), 127, "", f"{argv[0]}: not found\n")
        output = outputs.pop(0) if len(outputs) > 1 else outputs[0]
        return Result(tuple(argv), 0, output, "")

    def run(self, argv: Sequence[str], *, input: str | None = None, timeout: float = 30) -> Result:
        result = self.probe(argv)
        if not result.ok:
            raise CommandError(argv, result.code, result.err, where=self._name)
        return result

    @contextmanager
    def spawn(self, argv: Sequence[str]) -> Iterator[Child]:
        raise CommandError(argv, 127, "nothing can be spawned here", where=self._name)
        yield


class FakeLab:
    """Commands by line; with several outputs, each run takes the next and the last one stays."""

    def __init__(self, **answers: Sequence[str]) -> None:
        self.plan = PLAN
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, dict[str, Any]] = {}
        table = {line.replace("_", " "): outputs for line, outputs in answers.items()}
        self._nodes = {node.name: Node(node.name, table) for node in PLAN.nodes}

    def node(self, name: str) -> Node:
        return self._nodes[name]

    def ask(self, do: str, *, timeout: float = 10.0, **fields: object) -> dict[str, Any]:
        self.asked.append((do, fields))
        return self.answers.get(do, {})


class Remembering(Report):
    """Everything told, as words in order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def scenario_begins(self, result: ScenarioResult) -> None:
        self.told.append(f"begin {result.name}")

    def phase_ends(self, phase: Phase) -> None:
        self.told.append(f"phase {phase.name}")

    def step_begins(self, number: int, step: StepResult) -> None:
        self.told.append(f"step {number} {step.title}")

    def command_ran(self, command: Command) -> None:
        self.told.append(f"{command.node}$ {command.line}")

    def said(self, text: str) -> None:
        self.told.append(f"said {text}")

    def check_ended(self, check: CheckResult) -> None:
        self.told.append(f"{check.what}: {check.verdict.value}")

    def scenario_ends(self, result: ScenarioResult) -> None:
        self.told.append(f"end {result.verdict.value}")
