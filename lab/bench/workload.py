"""Deployments and services for the benchmarks, as Kubernetes objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]
Port = tuple[str, int]
"""Protocol and number."""


def deployment(name: str, image: str, *, replicas: int = 1) -> Object:
    """Pods of one container that carry the label `app: NAME`."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": image}]},
            },
        },
    }


def load_balancer(name: str, ports: Sequence[Port], *, local: bool = False) -> Object:
    """A LoadBalancer service of a deployment; `local`: only nodes with a pod of it announce it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": name},
            "externalTrafficPolicy": "Local" if local else "Cluster",
            "ports": [
                {"name": f"{protocol}-{port}".lower(), "protocol": protocol, "port": port}
                for protocol, port in ports
            ],
        },
    }
