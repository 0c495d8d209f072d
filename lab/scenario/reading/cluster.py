"""Kubernetes objects as kubectl gives them, reduced to what scenarios ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.errors import LabError


@dataclass(frozen=True)
class Pod:
    """A pod: where it runs and whether it is ready. Address and node are empty until it has one."""

    namespace: str
    name: str
    node: str
    address: str
    phase: str
    ready: bool
    terminating: bool = False


@dataclass(frozen=True)
class Service:
    """A service of any type; `external` holds its LoadBalancer addresses."""

    namespace: str
    name: str
    kind: str
    cluster_ip: str
    external: tuple[str, ...]
    ports: tuple[int, ...]
    node_ports: tuple[int, ...]


def pods(listed: Any) -> list[Pod]:
    """Read `kubectl get pods -o json`."""
    return [_pod(item) for item in _items(listed)]


def services(listed: Any) -> dict[str, Service]:
    """Read `kubectl get services -o json`: services by name."""
    return {item["metadata"]["name"]: _service(item) for item in _items(listed)}


def _items(listed: Any) -> list[dict[str, Any]]:
    if not isinstance(listed, dict) or not isinstance(listed.get("items"), list):
        raise LabError(f"kubectl gave no list: {str(listed)[:200]}")
    items: list[dict[str, Any]] = listed["items"]
    return items


def _pod(item: dict[str, Any]) -> Pod:
    metadata, status = item["metadata"], item.get("status", {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or []}
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        node=item.get("spec", {}).get("nodeName", ""),
        address=status.get("podIP", ""),
        phase=status.get("phase", ""),
        ready=conditions.get("Ready") == "True",
        terminating="deletionTimestamp" in metadata,
    )


def _service(item: dict[str, Any]) -> Service:
    metadata, spec = item["metadata"], item["spec"]
    ingress = item.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    ports = spec.get("ports") or []
    return Service(
        namespace=metadata["namespace"],
        name=metadata["name"],
        kind=spec.get("type", "ClusterIP"),
        cluster_ip=spec.get("clusterIP", ""),
        external=tuple(entry["ip"] for entry in ingress if "ip" in entry),
        ports=tuple(port["port"] for port in ports),
        node_ports=tuple(port["nodePort"] for port in ports if "nodePort" in port),
    )
