"""Time that the program on a node's uplink takes for a packet of a known flow.

The kernel's own clock of the program, under real traffic: bpf_enable_stats(2) counts runs and
nanoseconds for as long as its descriptor is open. The reading of that clock is in the figure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.bench.balancing import IPERF, Side, listens
from lab.bench.model import Row, in_turns
from lab.bench.running import address_of, apply, running
from lab.bench.workload import deployment, load_balancer
from lab.bpf.libbpf import call
from lab.sandbox.handle import Lab, LabNode

TARGET = 250.0
"""Nanoseconds."""
RUN_TIME = 0
"""BPF_STATS_RUN_TIME of <linux/bpf.h>."""


def measure(rounds: int) -> Iterator[Row]:
    with running("datapath") as lab:
        service = load_balancer("iperf", [("TCP", IPERF), ("UDP", IPERF)], local=True)
        apply(lab, deployment("iperf", "iperf3"), service)
        address = address_of(lab, "iperf")
        client = lab.node("client1")
        listens(client.probe, address)
        side = Side(client.run, address, address)
        program = _Uplink.of(_node_of_the_pod(lab))
        with _statistics():
            (nanoseconds,) = in_turns(rounds, lambda: program.cost_while(side))
    yield Row("a packet of a known flow, uplink", "ns", nanoseconds, None, "", TARGET)


@dataclass(frozen=True)
class _Uplink:
    """The program on a node's uplink, by its id in the kernel."""

    node: LabNode
    number: int

    @classmethod
    def of(cls, node: LabNode) -> _Uplink:
        filters = node.run(["tc", "-j", "filter", "show", "dev", "eth0", "ingress"]).json()
        programs = [one.get("options", {}).get("prog") for one in filters]
        return cls(node, next(program["id"] for program in programs if program))

    def cost_while(self, side: Side) -> float:
        """Mean nanoseconds a run, while small UDP packets come as fast as the client can."""
        runs, spent = self._counters()
        side.packets()
        runs_after, spent_after = self._counters()
        return (spent_after - spent) / (runs_after - runs)

    def _counters(self) -> tuple[int, int]:
        words = ["bpftool", "-j", "prog", "show", "id", str(self.number)]
        shown = self.node.run(words).json()
        return shown.get("run_cnt", 0), shown.get("run_time_ns", 0)


def _node_of_the_pod(lab: Lab) -> LabNode:
    path = "jsonpath={.items[0].spec.nodeName}"
    return lab.node(lab.kubectl("get", "pods", "-l", "app=iperf", "-o", path).out)


@contextmanager
def _statistics() -> Iterator[None]:
    """Let the kernel count for the length of a `with` block."""
    descriptor = call("bpf_enable_stats", RUN_TIME, what="enabling BPF statistics")
    try:
        yield
    finally:
        os.close(descriptor)
