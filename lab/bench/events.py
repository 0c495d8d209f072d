"""What events cost the traffic: packets through the VIP with them against without.

The programs of the pod's node are installed anew before each measurement; agent, observer and
metrics run throughout, as they do for a user. A packet makes one event where it is delivered, and
without any aggregation another one where it arrives.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from lab.bench.accounting import accounted, node_of, settle
from lab.bench.balancing import IPERF, Side, listens
from lab.bench.model import Row, in_turns
from lab.bench.running import address_of, apply, running
from lab.bench.workload import deployment, load_balancer
from lab.errors import WaitTimeout
from lab.sandbox.handle import Lab, LabNode

TARGET = 0.95
SECONDS = 2.0
"""Of a turn: longer than the ring of events takes a flood without its reader."""
EVENTS = {
    "medium": "UDP packets, events aggregated (medium)",
    "low": "UDP packets, an event each",
    "none": "UDP packets, two events each",
}
"""Rows by what the programs are told, see `reinstall`."""


def measure(rounds: int) -> Iterator[Row]:
    with running("events") as lab:
        service = load_balancer("iperf", [("TCP", IPERF), ("UDP", IPERF)], local=True)
        apply(lab, deployment("iperf", "iperf3"), service)
        address = address_of(lab, "iperf")
        client = lab.node("client1")
        listens(client.probe, address)
        side = Side(client.run, address, address, SECONDS)
        node = node_of(lab, "iperf")
        off, *with_events = in_turns(
            rounds, *(partial(_packets, lab, node, side, which) for which in ("off", *EVENTS))
        )
        for name, packets in zip(EVENTS.values(), with_events, strict=True):
            yield Row.of_turns(name, "/s", packets, off, "events off", TARGET)
        with suppress(WaitTimeout):  # the row says how far it is off
            settle(lab, node)
        left, made, lost = accounted(lab, node)
        yield Row(f"unaccounted of {made:,} events, {lost:,} lost", "", left, None, "", 0)


def _packets(lab: Lab, node: LabNode, side: Side, which: str) -> float:
    node.run([sys.executable, "-m", "lab.bench.programs.reinstall", which])
    settle(lab, node)  # what the turn before left in the ring is not this one's work
    return side.packets()
