"""Plan -> the objects that an installation of Cilium brings: its kinds, its configuration. Pure."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from lab.operator import cilium_crds
from lab.topology.plan import Cluster, Plan

ARTICLE = "cilium-1.10"
"""The profile whose load-balancer addresses come from MetalLB's pools."""

Object = dict[str, Any]


def objects(plan: Plan) -> list[Object]:
    """Definitions, the BGP configuration, and the pool of profiles newer than the article's."""
    cluster = plan.cluster
    if cluster is None:
        return []
    return [
        *cilium_crds.definitions(),
        bgp_config(plan, cluster),
        *([pool(cluster)] if cluster.profile != ARTICLE else ()),
    ]


def pool(cluster: Cluster) -> Object:
    """The pool of LB-IPAM, which profiles newer than the article's use."""
    blocks = [{"cidr": str(each)} for each in (cluster.vip_pool, cluster.vip_pool6) if each]
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumLoadBalancerIPPool",
        "metadata": {"name": "default"},
        "spec": {"blocks": blocks, "disabled": False},
    }


def bgp_config(plan: Plan, cluster: Cluster) -> Object:
    """MetalLB's ConfigMap, as Cilium 1.10 reads it: every node peers with the one router, in a
    session for each address family.
    """
    second_pool = f"  - {cluster.vip_pool6}\n" if cluster.vip_pool6 else ""
    text = (
        "peers:\n"
        f"{_peers(plan, cluster)}"
        "address-pools:\n"
        "- name: default\n"
        "  protocol: bgp\n"
        "  avoid-buggy-ips: false\n"
        "  addresses:\n"
        f"  - {cluster.vip_pool}\n"
        f"{second_pool}"
    )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "bgp-config", "namespace": "kube-system"},
        "data": {"config.yaml": text},
    }


def _peers(plan: Plan, cluster: Cluster) -> str:
    """One peer for all nodes, or one for each where each has an AS number of its own."""
    routers = [each for each in (cluster.router, cluster.router6) if each]
    if all(planned.asn == cluster.asn for planned in plan.kube_nodes):
        return "".join(_peer(cluster, router, cluster.asn) for router in routers)
    return "".join(
        f"{_peer(cluster, router, planned.asn)}"
        "  node-selectors:\n"
        "  - match-labels:\n"
        f"      kubernetes.io/hostname: {planned.name}\n"
        for planned in plan.kube_nodes
        for router in routers
    )


def _peer(cluster: Cluster, router: IPv4Address | IPv6Address, my_asn: int | None) -> str:
    password = f"  password: {json.dumps(cluster.bgp_password)}\n" if cluster.bgp_password else ""
    # The router believes packets that come with the highest TTL, or a little less, and those only.
    far = "  ebgp-multihop: true\n" if cluster.options.get("ttl_security") else ""
    return (
        f"- peer-address: {router}\n  peer-asn: {cluster.asn}\n  my-asn: {my_asn}\n{password}{far}"
    )
