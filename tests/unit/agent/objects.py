"""API objects for the agent's tests, as small as the tests can bear."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from lightkube.resources.core_v1 import Node, Pod, Service
from lightkube.resources.discovery_v1 import EndpointSlice

R = TypeVar("R")


def _made(kind: type[R], plain: dict[str, Any]) -> R:
    made: R = kind.from_dict(plain)  # type: ignore[attr-defined]
    return made


def service(
    name: str = "web1-lb",
    *,
    vip: str | None = "172.16.10.0",
    ports: list[dict[str, Any]] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    nodePort: bool = True,  # noqa: N803
    created: datetime | None = None,
    **spec: Any,
) -> Service:
    """A LoadBalancer service like the article's; keywords are fields of its spec."""
    number = 30256 if nodePort else None
    written = ports or [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": number}]
    ingress = {"loadBalancer": {"ingress": [{"ip": vip}]}} if vip else {}
    base = {"type": "LoadBalancer", "clusterIP": "10.106.236.120", "ports": written}
    meta: dict[str, Any] = {
        "name": name,
        "namespace": "default",
        "labels": dict(labels or {}),
        "annotations": dict(annotations or {}),
    }
    if created:
        meta["creationTimestamp"] = created.isoformat()
    return _made(Service, {"metadata": meta, "spec": {**base, **spec}, "status": ingress})


def endpoint(
    address: str,
    *,
    node: str = "k8s-worker1",
    ready: bool = True,
    serving: bool = True,
    terminating: bool = False,
) -> dict[str, Any]:
    conditions = {"ready": ready, "serving": serving, "terminating": terminating}
    return {"addresses": [address], "nodeName": node, "conditions": conditions}


def endpoint_slice(
    *endpoints: dict[str, Any],
    ports: list[dict[str, Any]] | None = None,
    service_name: str = "web1-lb",
) -> EndpointSlice:
    return _made(
        EndpointSlice,
        {
            "metadata": {
                "name": f"{service_name}-abcde",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": service_name},
            },
            "addressType": "IPv4",
            "ports": ports or [{"name": "http", "port": 80, "protocol": "TCP"}],
            "endpoints": list(endpoints),
        },
    )


def node(name: str, address: str, cidr: str, labels: Mapping[str, str] | None = None) -> Node:
    return _made(
        Node,
        {
            "metadata": {"name": name, "labels": dict(labels or {})},
            "spec": {"podCIDR": cidr},
            "status": {"addresses": [{"type": "InternalIP", "address": address}]},
        },
    )


def pod(name: str, address: str, host: str, **labels: str) -> Pod:
    return _made(
        Pod,
        {
            "metadata": {"name": name, "namespace": "default", "uid": name, "labels": labels},
            "spec": {"containers": [{"name": "c", "image": "nginx"}]},
            "status": {"phase": "Running", "podIP": address, "hostIP": host},
        },
    )
