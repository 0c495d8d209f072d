"""What a regression script does with its Kubernetes client, whichever that is.

Each of `with_*.py` tells it with one library and prints what it saw: a deployment and its
service come up, its pods are found, asked and scaled, four mistakes are refused, and an object
of a custom kind is made.
"""

from __future__ import annotations

from typing import Any, TypedDict

Object = dict[str, Any]

REPLICAS = 2
REFUSED = [404, 409, 409, 422]


class Seen(TypedDict, total=False):
    """What a client saw; the same for all of them, but for the address."""

    address: str
    nodes: list[str]
    log: bool
    """The log shows the readiness probe."""
    exec: bool
    """A command ran in the pod that was meant."""
    refusals: list[int]
    scaled: int
    pool: list[Object]


def deployment() -> Object:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    container = {"name": "web", "image": "nginx", "readinessProbe": probe}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
            },
        },
    }


def service(port: int = 80) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": port}], "selector": {"app": "web"}},
    }


def config_map() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"a": "1"},
    }


def pool(name: str) -> Object:
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumLoadBalancerIPPool",
        "metadata": {"name": name},
        "spec": {"blocks": [{"cidr": "192.0.2.0/28"}]},
    }
