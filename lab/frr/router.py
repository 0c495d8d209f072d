"""The router's configuration, from the plan alone: it does not change while the lab runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.frr.model import Bfd
from lab.frr.node import FAST_TIMERS, NOTHING, bfd_lines
from lab.frr.tree import Place, Tree
from lab.topology.plan import Cluster, Interface, Plan, PlannedNode

POOL = "load-balancer-pool"
"""Prefix list and route map: host routes out of the pool, and nothing else."""


def router_tree(plan: Plan, router: PlannedNode) -> Tree:
    """Static neighbors for all Kubernetes nodes; only /32s out of the pool are believed."""
    cluster = plan.cluster
    leg = _peering_leg(router, cluster)
    if cluster is None or leg is None:
        return {(): ()}
    bfd = bfd_of(cluster)
    tree: dict[Place, tuple[str, ...]] = {
        (): (
            FAST_TIMERS,
            f"ip prefix-list {POOL} seq 5 permit {cluster.vip_pool} ge 32",
        )
    }
    if bfd:
        tree[("bfd",)] = ()
        tree[("bfd", f"profile {bfd.profile}")] = tuple(bfd_lines(bfd))
    bgp = (f"router bgp {cluster.asn}",)
    tree[bgp] = (*_speaker(plan, leg), *_sessions(plan, cluster, leg))
    unicast = (*bgp, "address-family ipv4 unicast")
    tree[unicast] = tuple(_policies(plan.kube_nodes))
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


def _speaker(plan: Plan, leg: Interface) -> Iterator[str]:
    yield f"bgp router-id {leg.address.ip}"
    yield "no bgp ebgp-requires-policy"
    if len({node.asn for node in plan.kube_nodes}) > 1:
        # Ways through different ASes of the same number are used side by side too.
        yield "bgp bestpath as-path multipath-relax"
    yield "coalesce-time 0"


def _sessions(plan: Plan, cluster: Cluster, leg: Interface) -> Iterator[str]:
    bfd = bfd_of(cluster)
    for node in plan.kube_nodes:
        neighbor = f"neighbor {node.address}"
        yield f"{neighbor} remote-as {node.asn}"
        if bfd:
            yield f"{neighbor} bfd"
            yield f"{neighbor} bfd profile {bfd.profile}"
        if cluster.bgp_password:
            yield f"{neighbor} password {cluster.bgp_password}"
        yield f"{neighbor} update-source {leg.name}"
        yield f"{neighbor} timers connect 1"


def _policies(nodes: Iterable[PlannedNode]) -> Iterator[str]:
    for node in nodes:
        yield f"neighbor {node.address} next-hop-self"
        yield f"neighbor {node.address} route-map {POOL} in"
        yield f"neighbor {node.address} route-map {NOTHING} out"
