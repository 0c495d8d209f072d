"""The events of a lab's node: made by its programs, read by its agent, or lost and counted."""

from __future__ import annotations

from pathlib import Path

from lab.bpf.maps import Map, PerCpuMap
from lab.bpf.structs import event_counts
from lab.bpf.tables import EVENT_COUNTS, GLOBALS, Index
from lab.errors import WaitTimeout
from lab.hubble.metrics.exporter import PORT
from lab.sandbox.handle import Lab, LabNode
from lab.wait import until

FLOWS = "hubble_flows_processed_total{"
SETTLED_WITHIN = 20.0
"""Seconds for the agent to read what is in the ring, and for nothing to come in between."""


def node_of(lab: Lab, app: str) -> LabNode:
    """The node of the only pod of a deployment."""
    path = "jsonpath={.items[0].spec.nodeName}"
    return lab.node(lab.kubectl("get", "pods", "-l", f"app={app}", "-o", path).out)


def settled(lab: Lab, node: LabNode) -> tuple[int, int, int]:
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
