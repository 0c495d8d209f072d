"""The values Kubernetes fills in that depend on other values (see fields for the plain ones)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

Object = dict[str, Any]

EVICTION_SECONDS = 300
"""How long a pod stays on a node that went silent, unless it says otherwise."""


def apply(kind: str, obj: Object) -> None:
    """Complete a new or changed object of any kind, in place."""
    complete = _DEFAULTS.get(kind)
    if complete:
        complete(obj)


def _fill(target: Object, **values: Any) -> None:
    for name, value in values.items():
        target.setdefault(name, value)


def _namespace(obj: Object) -> None:
    meta = obj["metadata"]
    meta.setdefault("labels", {})["kubernetes.io/metadata.name"] = meta["name"]


def _service(obj: Object) -> None:
    spec = obj["spec"]
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _fill(spec, allocateLoadBalancerNodePorts=True)
    for port in spec.get("ports", ()):
        _fill(port, targetPort=port["port"])


def _pod(obj: Object) -> None:
    spec = obj["spec"]
    _pull_policies(spec)
    _fill(spec, serviceAccountName="default", serviceAccount="default", priority=0)
    _fill(spec, preemptionPolicy="PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(t.get("key") in (key, None) and t.get("effect") in ("NoExecute", None)
                   for t in tolerations):  # fmt: skip
            tolerations.append({
                "key": key, "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": EVICTION_SECONDS,
            })  # fmt: skip


def _pull_policies(spec: Object) -> None:
    for container in [*spec.get("containers", ()), *spec.get("initContainers", ())]:
        image = str(container.get("image", ""))
        tag = image.rpartition("/")[2].partition(":")[2]
        latest = tag in ("", "latest") and "@" not in image
        _fill(container, imagePullPolicy="Always" if latest else "IfNotPresent")


def _deployment(obj: Object) -> None:
    strategy = obj["spec"]["strategy"]
    if strategy["type"] == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), maxSurge="25%", maxUnavailable="25%")
    _template(obj)


def _template(obj: Object) -> None:
    _pull_policies(obj["spec"].get("template", {}).get("spec", {}))


def _secret(obj: Object) -> None:
    for name, text in obj.pop("stringData", {}).items():
        obj.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()


def _endpoint_slice(obj: Object) -> None:
    for port in obj.get("ports", ()):
        _fill(port, name="")


def _custom_resource_definition(obj: Object) -> None:
    names = obj["spec"]["names"]
    _fill(names, singular=names["kind"].lower(), listKind=names["kind"] + "List")


_DEFAULTS: dict[str, Callable[[Object], None]] = {
    "Namespace": _namespace,
    "Service": _service,
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _template,
    "Secret": _secret,
    "EndpointSlice": _endpoint_slice,
    "CustomResourceDefinition": _custom_resource_definition,
}
