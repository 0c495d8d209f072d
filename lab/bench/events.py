"""What events cost the traffic: packets through the VIP with them against without.

The programs of the pod's node are installed anew before each measurement; agent, observer and
metrics run throughout, as they do for a user. A packet makes one event where it is delivered, and
without any aggregation another one where it arrives.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lab.bench.balancing import IPERF, Side, listens
from lab.bench.model import Row, in_turns
from lab.bench.running import address_of, apply, running
from lab.bench.workload import deployment, load_balancer
from lab.bpf.maps import Map, PerCpuMap
from lab.bpf.structs import event_counts
from lab.bpf.tables import EVENT_COUNTS, GLOBALS, Index
from lab.errors import WaitTimeout
from lab.hubble.metrics.exporter import PORT
from lab.sandbox.handle import Lab, LabNode
from lab.wait import until

TARGET = 0.95
EVENTS = {
    "medium": "UDP packets, events aggregated (medium)",
    "low": "UDP packets, an event each",
    "none": "UDP packets, two events each",
}
"""Rows by what the programs are told, see `reinstall`."""
FLOWS = "hubble_flows_processed_total{"
SETTLED_WITHIN = 20.0
"""Seconds for the agent to read what is in the ring, and for nothing to come in between."""


def measure(rounds: int) -> Iterator[Row]:
    with running("events") as lab:
        service = load_balancer("iperf", [("TCP", IPERF), ("UDP", IPERF)], local=True)
        apply(lab, deployment("iperf", "iperf3"), service)
        address = address_of(lab, "iperf")
        client = lab.node("client1")
        listens(client.probe, address)
        side = Side(client.run, address, address)
        node = _node_of_the_pod(lab)
        off, *with_events = in_turns(
            rounds, *(partial(_packets, lab, node, side, which) for which in ("off", *EVENTS))
        )
        for name, packets in zip(EVENTS.values(), with_events, strict=True):
            yield Row(name, "/s", packets, off, "events off", TARGET, less_is_better=False)
        left, made, lost = _settled(lab, node)
        yield Row(f"unaccounted of {made:,} events, {lost:,} lost", "", left, None, "", 0)


def _node_of_the_pod(lab: Lab) -> LabNode:
    path = "jsonpath={.items[0].spec.nodeName}"
    return lab.node(lab.kubectl("get", "pods", "-l", "app=iperf", "-o", path).out)


def _packets(lab: Lab, node: LabNode, side: Side, which: str) -> float:
    node.run([sys.executable, "-m", "lab.bench.programs.reinstall", which])
    _settled(lab, node)  # what the turn before left in the ring is not this one's work
    return side.packets()


def _settled(lab: Lab, node: LabNode) -> tuple[int, int, int]:
    """Events that are neither a flow nor counted as lost, those made and those lost, since the lab
    began: when the first is 0, or as they are when it does not become 0.
    """
    with _counts(lab, node) as counts:

        def look() -> tuple[int, int, int]:
            flows = flows_read(node.run(["curl", "-s", f"http://127.0.0.1:{PORT}/metrics"]).out)
            now = counts.lookup(Index(0)) or event_counts()
            return abs(now.made - now.lost - flows), now.made, now.lost

        try:
            return until(
                look, lambda seen: not seen[0], within=SETTLED_WITHIN, what="events accounted for"
            )
        except WaitTimeout:
            return look()  # the row says how far it is off


def _counts(lab: Lab, node: LabNode) -> Map[Index, event_counts]:
    """The node's own counters; a lookup gives their sum over all processors."""
    root = Path(f"/proc/{lab.pid1}/root/proc/{lab.holders()[node.name]}/root{GLOBALS}")
    return PerCpuMap.pinned(EVENT_COUNTS, root)


def flows_read(metrics: str) -> int:
    """The sum over all labels of the flows that the observer has processed."""
    lines = (line for line in metrics.splitlines() if line.startswith(FLOWS))
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines)
