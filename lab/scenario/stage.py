"""Where a step acts: it runs commands on nodes, shows them, and says what must hold."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from lab import wait
from lab.errors import LabError, WaitTimeout
from lab.faults.fault import Fault
from lab.faults.standing import struck
from lab.sandbox.place import Place
from lab.scenario.bounds import Bound
from lab.scenario.capture import Capture, capture
from lab.scenario.lines import Lines
from lab.scenario.second import second_lab
from lab.scenario.telling.outcome import CheckResult, Command, StepResult, Verdict
from lab.scenario.telling.report import Report
from lab.scenario.wanted import Wanted, accepts, tell
from lab.shell import Result
from lab.topology.plan import NodeKind

T = TypeVar("T")

MANY_OBJECTS = 180.0
"""Seconds that kubectl may take to create a list of objects, one request each."""


class CheckFailed(LabError):
    """A check did not hold; the report has already told which."""

    def __init__(self, check: CheckResult) -> None:
        self.check = check
        super().__init__(f"{check.what}: wanted {check.wanted}, seen {check.seen}")


class Stage:
    """One step's view of the lab. What it does is recorded in `step` and told to `report`."""

    def __init__(self, lab: Place, step: StepResult, report: Report, manifests: Path) -> None:
        self.lab = lab
        self.plan = lab.plan
        self._step = step
        self._report = report
        self._manifests = manifests
        self._since = time.monotonic()

    def show(self, node: str, line: str, *, timeout: float = 30) -> Result:
        """Run a command line on a node, as a person would, and show it with all it prints.

        The line is split into words as a shell does, but there is no shell. Its code is not
        judged: that is for a check. CommandError when it does not end within `timeout` seconds.
        """
        result = self.lab.node(node).probe(shlex.split(line), timeout=timeout)
        self._record(node, line, result.out + result.err, result.code)
        return result

    def run(self, node: str, line: str, *, timeout: float = 30) -> Result:
        """Run a command line on a node without showing it; CommandError unless it succeeds."""
        return self.lab.node(node).run(shlex.split(line), timeout=timeout)

    def probe(self, node: str, line: str, *, timeout: float = 30) -> Result:
        """Run a command line on a node without showing it, and return what came of it."""
        return self.lab.node(node).probe(shlex.split(line), timeout=timeout)

    @contextmanager
    def spawn(self, node: str, line: str) -> Iterator[Lines]:
        """Keep a command running on a node for the length of the block; gives what it prints."""
        with self.lab.node(node).spawn(shlex.split(line)) as running:
            yield Lines(running.stdout)

    def say(self, text: str) -> None:
        """A remark that depends on what was seen."""
        self._report.said(text)

    def now(self) -> float:
        """This moment, in seconds of CLOCK_MONOTONIC, as loads and faults count them."""
        return time.monotonic()

    def apply(self, manifest: str) -> None:
        """Apply a file of the scenarios' folder with kubectl, and show it."""
        path = self._manifests / manifest
        result = self.show(self.control, f"kubectl apply -f {shlex.quote(str(path))}")
        self.holds("the API server takes the manifest", result.code, 0)

    def create(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """Create objects with one run of kubectl, from a list on its standard input."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        words = ["kubectl", "create", "-f", "-"]
        node = self.lab.node(self.control)
        done = node.run(words, input=json.dumps(listed), timeout=MANY_OBJECTS)
        first, *_, last = done.out.splitlines()
        self._record(self.control, "kubectl create -f -", f"{first}\n...\n{last}", done.code)

    def program(self, name: str, *words: str) -> str:
        """The command line of one of this folder's programs that stand alone and run in nodes."""
        return shlex.join([sys.executable, "-S", str(Path(__file__).with_name(name)), *words])

    @property
    def control(self) -> str:
        """The node where kubectl and hubble run: the management node, or the first master."""
        for kind in (NodeKind.CONTROL, NodeKind.MASTER):
            for node in self.plan.nodes:
                if node.kind is kind:
                    return node.name
        raise LabError(f"{self.plan.name} has no node that controls a cluster")

    @contextmanager
    def second(self, topology: str = "basic", profile: str = "cilium-1.10") -> Iterator[Stage]:
        """Another lab beside this one for the length of the block, told in the same step."""
        with second_lab(topology, profile) as lab:
            yield Stage(lab, self._step, self._report, self._manifests)

    @contextmanager
    def capture(
        self, node: str, interface: str, expression: str, *options: str
    ) -> Iterator[Capture]:
        """tcpdump on an interface; the block starts when it is listening."""
        place = self.lab.node(node)
        with capture(place, node, interface, expression, options=options) as running:
            yield running

    @contextmanager
    def capture_all(self, expression: str, *options: str) -> Iterator[list[Capture]]:
        """tcpdump on the uplink of every node of the cluster at once."""
        with ExitStack() as running:
            yield [
                running.enter_context(
                    self.capture(node.name, node.interfaces[0].name, expression, *options)
                )
                for node in self.plan.kube_nodes
            ]

    def show_capture(self, taken: Capture, *, first: int = 4) -> None:
        """Show a capture and the first of the packets that it has printed so far."""
        printed = taken.printed()
        more = [f"(and {len(printed) - first} more)"] if len(printed) > first else []
        self._record(taken.node, taken.line, "\n".join(printed[:first] + more), 0)

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[float]:
        """Something is broken for the length of the block, and mended after it, come what may.

        Gives the moment of the fault, in seconds of CLOCK_MONOTONIC.
        """
        self._report.said(f"Now {fault.words}.")
        start = time.monotonic()
        with struck(self.lab, fault):
            yield start

    def holds(self, what: str, seen: T, wanted: T | Wanted[T], *, look: str = "") -> T:
        """A value that is already there must be the wanted one."""
        self._check(what, wanted, seen, accepts(wanted, seen), look=look)
        return seen

    def becomes(
        self,
        what: str,
        read: Callable[[], T],
        wanted: T | Wanted[T],
        *,
        within: Bound,
        look: str = "",
    ) -> T:
        """A value is read again and again until it is the wanted one, within a named bound."""
        try:
            seen = wait.until(
                read, lambda value: accepts(wanted, value), within=within.seconds, what=what
            )
        except WaitTimeout as late:
            seen, held = cast(T, late.seen), False
        else:
            held = True
        self._check(what, wanted, seen, held, bound=within, look=look)
        return seen

    def _record(self, node: str, line: str, output: str, code: int) -> None:
        command = Command(node, line, output.rstrip("\n"), code)
        self._step.commands.append(command)
        self._report.command_ran(command)

    def _check(
        self,
        what: str,
        wanted: object,
        seen: object,
        held: bool,
        *,
        bound: Bound | None = None,
        look: str = "",
    ) -> None:
        """Record a check and tell it; CheckFailed when it did not hold.

        Its time counts from the check before it, or the begin of the step: with what was done
        for it.
        """
        now = time.monotonic()
        check = CheckResult(
            what=what,
            verdict=Verdict.HELD if held else Verdict.FAILED,
            seconds=now - self._since,
            wanted=tell(wanted),
            seen=tell(seen),
            bound=str(bound) if bound else None,
            look=look or (bound.look if bound else "") or self._default_look(),
        )
        self._since = now
        self._step.checks.append(check)
        self._report.check_ended(check)
        if not held:
            raise CheckFailed(check)

    def _default_look(self) -> str:
        if not self._step.commands:
            return "the logs of the lab's nodes"
        last = self._step.commands[-1]
        return f"`{last.line}` on {last.node}, and the logs of that node"
