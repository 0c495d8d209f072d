"""What FRR runs with when a lab starts, for every node of a plan."""

from __future__ import annotations

from lab.frr.model import BgpConfig, Neighbor
from lab.frr.node import node_tree
from lab.frr.router import bfd_of, router_tree
from lab.frr.tree import Tree, text
from lab.topology.plan import NodeKind, Plan, PlannedNode

VTYSH = "service integrated-vtysh-config\n"
"""vtysh.conf: all daemons of a node share one frr.conf."""


def start_tree(plan: Plan, node: PlannedNode) -> Tree:
    """The router's whole configuration; a node's sessions, announcing nothing yet."""
    if node.kind is NodeKind.ROUTER:
        return router_tree(plan, node)
    return node_tree(start_config(plan, node))


def start_config(plan: Plan, node: PlannedNode) -> BgpConfig:
    """A node that peers with the cluster's router and announces nothing."""
    cluster = plan.cluster
    if cluster is None:
        return BgpConfig(asn=0, router_id=node.address)
    peer = Neighbor(cluster.router, cluster.asn, bfd=bfd_of(cluster))
    return BgpConfig(asn=cluster.asn, router_id=node.address, neighbors=(peer,))


def files(plan: Plan, node: PlannedNode) -> dict[str, str]:
    """Name and text of each file below the node's /etc/frr."""
    head = f"frr defaults traditional\nhostname {node.name}\n{VTYSH}!\n"
    return {"frr.conf": head + text(start_tree(plan, node)), "vtysh.conf": VTYSH}
