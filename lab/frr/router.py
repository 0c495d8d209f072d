"""The router's configuration, from the plan alone: it does not change while the lab runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from lab.frr.model import Bfd
from lab.frr.node import FAST_TIMERS, NOTHING, bfd_lines
from lab.frr.tree import Path, Tree
from lab.topology.plan import Cluster, Interface, Plan, PlannedNode

POOL = "load-balancer-pool"
"""Prefix list and route map: host routes out of the pool, and nothing else."""


def router_tree(plan: Plan, router: PlannedNode) -> Tree:
    """Static neighbors for all Kubernetes nodes; only /32s out of the pool are believed."""
    cluster = plan.cluster
    leg = _peering_leg(router, cluster)
    if cluster is None or leg is None:
        return {(): ()}
    neighbors = [node.address for node in plan.kube_nodes]
    bfd = bfd_of(cluster)
    tree: dict[Path, tuple[str, ...]] = {
        (): (
            FAST_TIMERS,
            f"ip prefix-list {POOL} seq 5 permit {cluster.vip_pool} ge 32",
        )
    }
    if bfd:
        tree[("bfd",)] = ()
        tree[("bfd", f"profile {bfd.profile}")] = tuple(bfd_lines(bfd))
    bgp = (f"router bgp {cluster.asn}",)
    tree[bgp] = (*_speaker(leg), *_sessions(cluster, neighbors, leg, bfd))
    unicast = (*bgp, "address-family ipv4 unicast")
    tree[unicast] = tuple(_policies(neighbors))
    tree[(f"route-map {NOTHING} deny 10",)] = ()
    tree[(f"route-map {POOL} permit 10",)] = (f"match ip address prefix-list {POOL}",)
    return tree


def bfd_of(cluster: Cluster) -> Bfd | None:
    """The cluster's option `bfd`, such as 3x50: packets missed x milliseconds."""
    written = cluster.options.get("bfd")
    if not written:
        return None
    multiplier, _, interval = written.partition("x")
    return Bfd(int(multiplier), int(interval))


def _peering_leg(router: PlannedNode, cluster: Cluster | None) -> Interface | None:
    """The interface that has the address the nodes peer with."""
    address = cluster.router if cluster else None
    return next((leg for leg in router.interfaces if leg.address.ip == address), None)


def _speaker(leg: Interface) -> Iterator[str]:
    yield f"bgp router-id {leg.address.ip}"
    yield "no bgp ebgp-requires-policy"
    yield "coalesce-time 0"


def _sessions(
    cluster: Cluster, neighbors: Sequence[IPv4Address], leg: Interface, bfd: Bfd | None
) -> Iterator[str]:
    for neighbor in neighbors:
        yield f"neighbor {neighbor} remote-as {cluster.asn}"
        if bfd:
            yield f"neighbor {neighbor} bfd"
            yield f"neighbor {neighbor} bfd profile {bfd.profile}"
        yield f"neighbor {neighbor} update-source {leg.name}"
        yield f"neighbor {neighbor} timers connect 1"


def _policies(neighbors: Sequence[IPv4Address]) -> Iterator[str]:
    for neighbor in neighbors:
        yield f"neighbor {neighbor} next-hop-self"
        yield f"neighbor {neighbor} route-map {POOL} in"
        yield f"neighbor {neighbor} route-map {NOTHING} out"
