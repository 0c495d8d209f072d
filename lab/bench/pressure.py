"""More than anyone should ask of a service: a crowd of connections, a flood, programs replaced.

What counts is what fails, so there is nothing to hold it against and no median: one go each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lab.bench.model import Row
from lab.bench.running import address_of, answers, apply, running
from lab.bench.workload import deployment, load_balancer
from lab.faults.nodes import agent_kill
from lab.faults.standing import struck
from lab.sandbox.handle import Lab
from lab.scenario.bounds import AGENT_START
from lab.scenario.load.loaded import clients, loaded
from lab.wait import until

PROGRAMS = Path(__file__).parent / "programs"
CROWD = 50_000
PODS = 5
"""A process may have 20,000 files open on many a machine: no pod could hold them all."""
FLOOD_SECONDS = 5
KEPT = 67
"""Connections that each of three clients holds open and asks on, over and over: 201."""


def measure(_rounds: int) -> Iterator[Row]:
    with running("pressure") as lab:
        apply(
            lab,
            deployment("echo", "echo", replicas=PODS),
            load_balancer("echo", [("TCP", 8080)]),
            deployment("web", "nginx", replicas=2),
            load_balancer("web", [("TCP", 80)]),
        )
        echo, web = address_of(lab, "echo"), address_of(lab, "web")
        answers(lab, "client1", f"http://{web}/")
        answers(lab, "client1", f"http://{echo}:8080/")
        yield from _flood(lab, web)
        yield from _replaced(lab, web)
        yield from _restarted(lab, web)
        yield from _crowd(lab, echo)


def _crowd(lab: Lab, address: str) -> Iterator[Row]:
    """Every client holds its share at the same time."""
    names = clients(lab.plan)
    share = -(-CROWD // len(names))

    def hold(name: str) -> list[float]:
        words = [sys.executable, "-S", str(PROGRAMS / "crowd.py"), address, "8080", str(share)]
        return [float(word) for word in lab.node(name).run(words, timeout=300).out.split()]

    with ThreadPoolExecutor(len(names)) as pool:
        told = list(pool.map(hold, names))
    opened, answered, seconds = (sum(column) for column in zip(*told, strict=True))
    yield _at_least(f"connections open at once, in {seconds / len(names):.0f} s", opened, CROWD)
    yield _at_least("of them answered", answered, opened)


def _flood(lab: Lab, address: str) -> Iterator[Row]:
    words = [
        sys.executable,
        "-S",
        str(PROGRAMS / "syn_flood.py"),
        address,
        "80",
        str(FLOOD_SECONDS),
    ]
    with loaded(lab, address, every=0.1, kept=KEPT) as load:
        load.until_steady(20)
        moment = time.monotonic()
        sent = int(lab.node("external1").run(words, timeout=60).out)
        load.until_steady(20)
        cost = load.cost(moment)
    yield _none(f"of {cost.kept} connections, lost in a flood of {sent:,} SYNs", cost.broken)


def _replaced(lab: Lab, address: str) -> Iterator[Row]:
    """All nodes get other program text, three times, while connections run and begin."""
    nodes = [lab.node(node.name) for node in lab.plan.kube_nodes]

    def replace() -> None:
        for which in ("off", "none", "medium"):
            for node in nodes:
                node.run([sys.executable, "-m", "lab.bench.programs.reinstall", which])

    yield from _unnoticed(lab, address, "while programs were replaced", replace)


def _restarted(lab: Lab, address: str) -> Iterator[Row]:
    """Every agent is killed and comes back, one after the other."""

    def restart() -> None:
        for node in lab.plan.kube_nodes:
            with struck(lab, agent_kill(node.name)):
                pass
            until(
                partial(lab.node(node.name).probe, ["cilium", "status"]),
                lambda seen: seen.code == 0,
                within=AGENT_START.seconds,
                what=f"an answer of the agent of {node.name}",
            )

    yield from _unnoticed(lab, address, "while agents were killed", restart)


def _unnoticed(lab: Lab, address: str, when: str, act: Callable[[], None]) -> Iterator[Row]:
    """A thousand connections begin a second, a hundred are open, and something is done."""
    with loaded(lab, address, every=0.001, kept=34) as load:
        load.until_steady(100)
        moment = time.monotonic()
        act()
        load.until_steady(100)
        cost = load.cost(moment)
    pace = cost.attempted / (time.monotonic() - moment)
    name = f"of {cost.attempted:,} new connections ({pace:.0f}/s), failed {when}"
    yield _none(name, cost.failed)
    yield _none(f"of {cost.kept} open ones, broken", cost.broken)


def _at_least(name: str, value: float, target: float) -> Row:
    return Row(name, "", value, None, "", target, less_is_better=False)


def _none(name: str, value: float) -> Row:
    return Row(name, "", value, None, "", 0)
