"""A steady load from the clients while something happens to the lab, and what it met."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab import wait
from lab.sandbox.place import Place
from lab.scenario.bounds import Bound
from lab.scenario.lines import Lines
from lab.scenario.load.cost import Attempt, Cost, attempts, cost
from lab.shell import Child
from lab.topology.plan import NodeKind, Plan

PROGRAM = Path(__file__).with_name("program.py")
STEADY = Bound("a load gets its first answers", 10)


class Told:
    """What one client's load generator has printed. Each line is read once: there are many, and
    whoever waits for the load to be steady asks again and again.
    """

    def __init__(self, client: int, child: Child) -> None:
        self._client = client
        self._child = child
        self._out, self._err = Lines(child.stdout), Lines(child.stderr)
        self._attempts: list[Attempt] = []
        self._read = 0

    def stop(self) -> None:
        """Ask the generator to begin nothing more."""
        self._child.terminate()

    def await_end(self) -> None:
        """Return when all that was begun has been told."""
        self._out.to_the_end()

    def attempts(self) -> list[Attempt]:
        """So far; kept connections of two clients have different names."""
        new = self._out.since(self._read)
        self._read += len(new)
        self._attempts += (
            attempt if attempt.connection == "fresh" else attempt.of_client(self._client)
            for attempt in attempts(new)
        )
        return self._attempts


class Load:
    """Load generators on some clients, and what they have told so far."""

    def __init__(self, service: str, children: Sequence[Child]) -> None:
        self._service = service
        self._told = [Told(number, child) for number, child in enumerate(children)]

    def attempts(self) -> list[Attempt]:
        """Of all clients, in the order of their starts."""
        found = [attempt for told in self._told for attempt in told.attempts()]
        return sorted(found, key=lambda attempt: attempt.start)

    def answered(self, since: float) -> int:
        """New connections that were begun at or after a time and answered."""
        return sum(a.ok and a.connection == "fresh" and a.start >= since for a in self.attempts())

    def broken(self, since: float) -> set[str]:
        """Sources of the connections, new and open ones, that failed after a moment."""
        return {a.source for a in self.attempts() if not a.ok and a.end >= since}

    def open_ones(self) -> set[str]:
        """Sources of the connections that stay open, and have been answered."""
        return {a.source for a in self.attempts() if a.ok and a.connection != "fresh"}

    def cost(self, fault: float) -> Cost:
        """What the load met from a moment (CLOCK_MONOTONIC) on."""
        return cost(self.attempts(), fault)

    def finish(self) -> None:
        """Begin nothing more, and return when the attempts under way have come to their ends."""
        for told in self._told:
            told.stop()
        for told in self._told:
            told.await_end()

    def until_steady(self, answers: int = 20) -> None:
        """Return when some more new connections have been answered; WaitTimeout otherwise."""
        now = time.monotonic()
        wait.until(
            lambda: self.answered(now),
            lambda seen: seen >= answers,
            within=STEADY.seconds,
            what=f"answers of {self._service} to the load's new connections "
            "(`lab kubectl get svc` tells what is served, `lab hubble observe` what came)",
            wanted=answers,
        )


@contextmanager
def loaded(
    lab: Place, target: str, port: int = 80, *, every: float = 0.02, kept: int = 0
) -> Iterator[Load]:
    """All clients of the LAN ask `target` for the length of a `with` block.

    Together they open a connection `every` so many seconds, and hold `kept` ones open each. The
    block begins when answers come steadily.
    """
    names = clients(lab.plan)
    pace = f"{every * len(names):g}"
    argv = [sys.executable, "-S", str(PROGRAM), target, str(port), "--every", pace]
    with ExitStack() as running:
        children = [
            running.enter_context(lab.node(name).spawn([*argv, "--kept", str(kept)]))
            for name in names
        ]
        load = Load(f"{target} port {port}", children)
        load.until_steady()
        yield load


def clients(plan: Plan) -> list[str]:
    """The hosts that are named as clients."""
    return [n.name for n in plan.nodes if n.kind is NodeKind.HOST and n.name.startswith("client")]
