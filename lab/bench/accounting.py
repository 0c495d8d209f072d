"""The events of a lab's node: made by its programs, read by its agent, or lost and counted."""

from __future__ import annotations

from pathlib import Path

from lab.bpf.maps import Map, PerCpuMap
from lab.bpf.structs import event_counts
from lab.bpf.tables import EVENT_COUNTS, GLOBALS, Index
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


def accounted(lab: Lab, node: LabNode) -> tuple[int, int, int]:
    """Events that are neither a flow nor counted as lost, those made and those lost, since the lab
    began.
    """
    with _counts(lab, node) as counts:
        flows = flows_read(node.run(["curl", "-s", f"http://127.0.0.1:{PORT}/metrics"]).out)
        now = counts.lookup(Index(0)) or event_counts()
    return abs(now.made - now.lost - flows), now.made, now.lost


def settle(lab: Lab, node: LabNode) -> None:
    """Return when all events are flows or counted as lost; WaitTimeout otherwise."""
    until(
        lambda: accounted(lab, node),
        lambda seen: not seen[0],
        within=SETTLED_WITHIN,
        what=f"events of {node.name} accounted for",
    )


def _counts(lab: Lab, node: LabNode) -> Map[Index, event_counts]:
    """The node's own counters; a lookup gives their sum over all processors."""
    root = Path(f"/proc/{lab.pid1}/root/proc/{lab.holders()[node.name]}/root{GLOBALS}")
    return PerCpuMap.pinned(EVENT_COUNTS, root)


def flows_read(metrics: str) -> int:
    """The sum over all labels of the flows that the observer has processed."""
    lines = (line for line in metrics.splitlines() if line.startswith(FLOWS))
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines)
