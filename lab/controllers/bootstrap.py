"""Plan -> the objects that are there before anybody applies anything. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from lab.kube.discovery.version import SERVER_VERSION
from lab.topology.plan import Cluster, NodeKind, Plan, PlannedNode

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")

Object = dict[str, Any]
Address = IPv4Address | IPv6Address

_NODE_INFO = (
    "architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion",
    "kubeletVersion", "machineID", "operatingSystem", "osImage", "systemUUID",
)  # fmt: skip


def objects(plan: Plan) -> list[Object]:
    """Namespaces, nodes, the API server's service."""
    cluster = plan.cluster
    if cluster is None:
        return []
    return [
        *(namespace(name) for name in NAMESPACES),
        *(node(planned) for planned in plan.kube_nodes),
        *kubernetes_service(cluster),
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
