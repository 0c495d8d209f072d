"""From the command to the first HTTP 200 through the VIP at a LAN client, and down again.

Held against plain IPMininet with FRR, which builds the same nodes in the same run (see
`plain_ipmininet.py`), each as a process of its own from its start.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from lab import shell
from lab.bench.model import Row
from lab.bench.paths.isolation import isolated
from lab.bench.running import answers, command, name_of, seconds
from lab.bench.workload import deployment, load_balancer
from lab.sandbox.handle import Lab
from lab.topology.load import load
from lab.topology.plan import Plan
from lab.topology.resolve import resolve

PLAIN = "IPMininet + FRR"
TARGET_RATIO = 0.3
TARGET_DOWN = 0.3
"""Seconds."""


@dataclass(frozen=True)
class Times:
    """Seconds up and down."""

    up: float
    down: float


def measure(rounds: int) -> Iterator[Row]:
    plan = resolve(load("basic"))
    pairs = [(_lab(plan), _plain(plan)) for _ in range(rounds)]
    ours, plain = (_median(side) for side in zip(*pairs, strict=True))
    yield Row("first HTTP 200", "s", ours.up, plain.up, PLAIN, TARGET_RATIO)
    yield Row("teardown", "s", ours.down, None, f"({PLAIN}: {plain.down:.2f} s)", TARGET_DOWN)


def _median(times: Sequence[Times]) -> Times:
    return Times(median(one.up for one in times), median(one.down for one in times))


def _lab(plan: Plan) -> Times:
    """The lab by its command line, the service applied as soon as the command returns."""
    assert plan.cluster is not None
    name = name_of("bringup")
    manifest = {"apiVersion": "v1", "kind": "List", "items": _web()}
    began = time.monotonic()
    shell.run(command("up", "basic", "--name", name), timeout=60)
    try:
        lab = Lab.find(name)
        lab.kubectl("apply", "-f", "-", input=json.dumps(manifest))
        answers(lab, "client1", f"http://{plan.cluster.vip_pool.network_address}/")
        up = time.monotonic() - began
    finally:
        down = seconds(command("down", name))
    return Times(up, down)


def _web() -> list[dict[str, object]]:
    return [load_balancer("web1", [("TCP", 80)]), deployment("web1", "nginx")]


def _plain(plan: Plan) -> Times:
    with TemporaryDirectory(dir="/var/tmp") as directory:  # /tmp is another one in there
        path = Path(directory) / "plan.json"
        path.write_text(json.dumps(plan.to_json()))
        program = [sys.executable, "-m", "lab.bench.programs.plain_ipmininet", str(path)]
        answer = shell.run(isolated(program), timeout=120).json()
    return Times(answer["up"], answer["down"])
