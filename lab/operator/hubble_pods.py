"""Hubble's relay and web page as objects of the cluster: deployments and services. Pure.

Names, labels and ports are those of Cilium's Helm chart, so that what people know about a real
cluster (`kubectl -n kube-system expose deployment hubble-ui ...`) holds here.
"""

from __future__ import annotations

from typing import Any

from lab.controllers.bootstrap import CONTROL_PLANE

Object = dict[str, Any]

RELAY_PORT = 4245
RELAY_NODE_PORT = 31234
UI_PORT = 8081

STARTUP_SECONDS = 120
"""How long a pod may take to listen before it is started anew, on a very busy machine."""


def objects() -> list[Object]:
    """The relay behind a NodePort, the web page behind an address inside the cluster."""
    relay_listens = {"tcpSocket": {"port": "grpc"}}
    page_answers = {"httpGet": {"path": "/healthz", "port": "http"}}
    return [
        _deployment("hubble-relay", "grpc", RELAY_PORT, relay_listens),
        _service("hubble-relay", "grpc", type="NodePort", nodePort=RELAY_NODE_PORT),
        _deployment("hubble-ui", "http", UI_PORT, page_answers),
        _service("hubble-ui", "http", type="ClusterIP"),
    ]


def _deployment(name: str, port_name: str, port: int, probe: Object) -> Object:
    """One pod on the control plane's node: the workers' pods are what a lesson is about."""
    container = {
        "name": name,
        "image": name,
        "ports": [{"name": port_name, "containerPort": port}],
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": STARTUP_SECONDS},
        "readinessProbe": probe,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"k8s-app": name}},
            "template": {
                "metadata": {"labels": {"k8s-app": name}},
                "spec": {
                    "nodeSelector": {CONTROL_PLANE: ""},
                    "tolerations": [
                        {"key": CONTROL_PLANE, "operator": "Exists", "effect": "NoSchedule"}
                    ],
                    "terminationGracePeriodSeconds": 1,
                    "containers": [container],
                },
            },
        },
    }


def _service(name: str, port_name: str, *, type: str, **port: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name),
        "spec": {
            "type": type,
            "selector": {"k8s-app": name},
            "ports": [{"name": port_name, "port": 80, "targetPort": port_name, **port}],
        },
    }


def _metadata(name: str) -> Object:
    return {"name": name, "namespace": "kube-system", "labels": {"k8s-app": name}}
