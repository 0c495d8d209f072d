"""The router's configuration, from the plan alone: it does not change while the lab runs."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address

from lab.frr.model import Address, Bfd
from lab.frr.node import FAST_QUEUE, FAST_TIMERS, NOTHING, bfd_lines
from lab.frr.tree import Place, Tree
from lab.topology.plan import Cluster, Interface, Plan, PlannedNode

POOL = "load-balancer-pool"
POOL6 = "load-balancer-pool6"
"""Prefix lists and route maps: host routes out of the pools, and nothing else."""


def router_tree(plan: Plan, router: PlannedNode) -> Tree:
    """Static neighbors for all Kubernetes nodes; only host routes out of the pool are believed."""
    cluster = plan.cluster
    leg = _peering_leg(router, cluster)
    if cluster is None or leg is None:
        return {(): ()}
    bgp = (f"router bgp {cluster.asn}",)
    ipv4, ipv6 = ((*bgp, f"address-family ipv{version} unicast") for version in (4, 6))
    tree: dict[Place, tuple[str, ...]] = {
        (): (FAST_QUEUE, FAST_TIMERS, *_prefix_lists(cluster)),
        **_bfd_sections(cluster),
        bgp: (*_speaker(plan, leg), *_sessions(plan, cluster, leg)),
        ipv4: tuple(_policies(plan, cluster)),
    }
    if cluster.vip_pool6:
        tree[ipv6] = tuple(_policies6(plan, cluster))
    tree[(f"route-map {NOTHING} deny 10",)] = ()
    tree[(f"route-map {POOL} permit 10",)] = (f"match ip address prefix-list {POOL}",)
    if cluster.vip_pool6:
        # The nodes' own addresses as next hops tell a reader more than link-local ones.
        tree[(f"route-map {POOL6} permit 10",)] = (
            f"match ipv6 address prefix-list {POOL6}",
            "set ipv6 next-hop prefer-global",
        )
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


def _prefix_lists(cluster: Cluster) -> Iterator[str]:
    yield f"ip prefix-list {POOL} seq 5 permit {cluster.vip_pool} ge 32"
    if cluster.vip_pool6:
        yield f"ipv6 prefix-list {POOL6} seq 5 permit {cluster.vip_pool6} ge 128"


def _bfd_sections(cluster: Cluster) -> dict[Place, tuple[str, ...]]:
    bfd = bfd_of(cluster)
    if bfd is None:
        return {}
    return {("bfd",): (), ("bfd", f"profile {bfd.profile}"): tuple(bfd_lines(bfd))}


def _sessions(plan: Plan, cluster: Cluster, leg: Interface) -> Iterator[str]:
    bfd, hops = bfd_of(cluster), cluster.options.get("ttl_security")
    for node in plan.kube_nodes:
        for address in (node.address, *_addresses6(node, cluster)):
            neighbor = f"neighbor {address}"
            yield f"{neighbor} remote-as {node.asn}"
            if bfd:
                yield f"{neighbor} bfd"
                yield f"{neighbor} bfd profile {bfd.profile}"
            if cluster.bgp_password:
                yield f"{neighbor} password {cluster.bgp_password}"
            if hops:
                yield f"{neighbor} ttl-security hops {hops}"
            yield f"{neighbor} update-source {leg.name}"
            yield f"{neighbor} timers connect 1"


def _policies(plan: Plan, cluster: Cluster) -> Iterator[str]:
    """IPv4 routes over the IPv4 sessions; FRR would take them over the others too."""
    for node in plan.kube_nodes:
        yield f"neighbor {node.address} next-hop-self"
        yield f"neighbor {node.address} route-map {POOL} in"
        yield f"neighbor {node.address} route-map {NOTHING} out"
        yield from _at_most(cluster, node.address)
        yield from (f"no neighbor {six} activate" for six in _addresses6(node, cluster))


def _at_most(cluster: Cluster, neighbor: Address) -> Iterator[str]:
    most = cluster.options.get("maximum_prefixes")
    if most:
        yield f"neighbor {neighbor} maximum-prefix {most}"


def _policies6(plan: Plan, cluster: Cluster) -> Iterator[str]:
    for node in plan.kube_nodes:
        for address in _addresses6(node, cluster):
            yield f"neighbor {address} activate"
            yield f"neighbor {address} next-hop-self"
            yield f"neighbor {address} route-map {POOL6} in"
            yield f"neighbor {address} route-map {NOTHING} out"
            yield from _at_most(cluster, address)


def _addresses6(node: PlannedNode, cluster: Cluster | None) -> list[IPv6Address]:
    """The address of the node's IPv6 session: none without a pool that it could announce."""
    first = node.interfaces[0].address6
    return [first.ip] if first is not None and cluster is not None and cluster.vip_pool6 else []
