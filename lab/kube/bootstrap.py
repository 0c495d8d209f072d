"""Plan -> the objects that are there before anybody applies anything. Pure."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from lab.kube import cilium_crds
from lab.kube.discovery import SERVER_VERSION
from lab.kube.hubble_pods import CONTROL_PLANE
from lab.topology.plan import Cluster, NodeKind, Plan, PlannedNode

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")

Object = dict[str, Any]
Address = IPv4Address | IPv6Address

_NODE_INFO = (
    "architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion",
    "kubeletVersion", "machineID", "operatingSystem", "osImage", "systemUUID",
)  # fmt: skip


def objects(plan: Plan) -> list[Object]:
    """Namespaces, nodes, the API server's service, the BGP configuration."""
    cluster = plan.cluster
    if cluster is None:
        return []
    return [
        *(namespace(name) for name in NAMESPACES),
        *cilium_crds.definitions(),
        *(node(planned) for planned in plan.kube_nodes),
        *kubernetes_service(cluster),
        bgp_config(plan, cluster),
        *([pool(cluster)] if cluster.profile != "cilium-1.10" else ()),
    ]


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def node(planned: PlannedNode) -> Object:
    """A Node that has not reported yet; the control plane's takes no ordinary pods."""
    labels = {
        "kubernetes.io/hostname": planned.name,
        "kubernetes.io/os": "linux",
        "beta.kubernetes.io/os": "linux",
    }
    networks = [str(each) for each in (planned.pod_cidr, planned.pod_cidr6) if each]
    addresses = [planned.address, *([planned.address6] if planned.pod_cidr6 else ())]
    spec: Object = {"podCIDR": networks[0], "podCIDRs": networks}
    if planned.kind is NodeKind.MASTER:
        labels[CONTROL_PLANE] = ""
        spec["taints"] = [{"key": CONTROL_PLANE, "effect": "NoSchedule"}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": planned.name, "labels": labels},
        "spec": spec,
        "status": {
            "addresses": [
                *({"type": "InternalIP", "address": str(each)} for each in addresses),
                {"type": "Hostname", "address": planned.name},
            ],
            "capacity": {"cpu": "2", "memory": "2Gi", "pods": "110"},
            "allocatable": {"cpu": "2", "memory": "2Gi", "pods": "110"},
            # The API's clients insist on every field; the node's agent fills them in.
            "nodeInfo": {**dict.fromkeys(_NODE_INFO, ""), "kubeletVersion": SERVER_VERSION},
        },
    }


def kubernetes_service(cluster: Cluster) -> list[Object]:
    """Service, Endpoints and EndpointSlice of the API server itself."""
    meta = {"name": "kubernetes", "namespace": "default"}
    address, port = str(cluster.api_address), cluster.api_port
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**meta, "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {
            "clusterIP": str(cluster.service_cidr.network_address + 1),
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
        },
    }
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            **meta,
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
    }
    endpoint_slice = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**meta, "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": ports,
    }
    return [service, endpoints, endpoint_slice]


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


def _peer(cluster: Cluster, router: Address, my_asn: int | None) -> str:
    password = f"  password: {json.dumps(cluster.bgp_password)}\n" if cluster.bgp_password else ""
    return f"- peer-address: {router}\n  peer-asn: {cluster.asn}\n  my-asn: {my_asn}\n{password}"
