"""What FRR starts with on every node of a plan."""

from __future__ import annotations

from lab.frr.router import router_tree
from lab.frr.tree import text
from lab.topology.plan import NodeKind, Plan, PlannedNode

VTYSH = "service integrated-vtysh-config\n"
"""vtysh.conf: all daemons of a node share one frr.conf."""


def files(plan: Plan, node: PlannedNode) -> dict[str, str]:
    """Name and text of each file below the node's /etc/frr.

    The router has its whole configuration from the start. A Kubernetes node speaks no BGP before
    its agent tells it to.
    """
    head = f"frr defaults traditional\nhostname {node.name}\n{VTYSH}!\n"
    body = text(router_tree(plan, node)) if node.kind is NodeKind.ROUTER else ""
    return {"frr.conf": head + body, "vtysh.conf": VTYSH}
