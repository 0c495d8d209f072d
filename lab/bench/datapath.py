"""What the programs take for a packet: nanoseconds of the one on the uplink, without a network.

Measured by BPF_PROG_TEST_RUN on a node of its own, see `feeding`: no lab, no traffic, no clock read
by the programs' own statistics. What the router or a pod does with the packet is not in it.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator

from lab import shell
from lab.bench.model import Row

TARGETS = {"known": 250.0, "new": 900.0}
"""Nanoseconds. Katran, which translates no source and judges no policy: 210 and 551."""
PLACES = {
    "local": "local pod",
    "remote": "remote pod",
    "remote reported": "remote pod, an event each (1.10)",
}
WITHIN = 120.0


def measure(rounds: int) -> Iterator[Row]:
    argv = [
        "unshare",
        "--net",
        "--",
        sys.executable,
        "-m",
        "lab.bench.programs.feeding",
        str(rounds),
    ]
    spent: dict[str, list[float]] = shell.run(argv, timeout=WITHIN).json()
    for name, values in spent.items():
        flow, _, place = name.partition(", ")
        yield Row(
            f"a packet of a {flow} flow, {PLACES[place]}",
            "ns",
            statistics.median(values),
            None,
            "",
            TARGETS[flow],
        )
