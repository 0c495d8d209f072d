"""The values Kubernetes fills in where an object says nothing. Each function completes in place."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

Object = dict[str, Any]

EVICTION_SECONDS = 300
"""How long a pod stays on a node that went silent, unless it says otherwise."""


def apply(kind: str, obj: Object) -> None:
    """Complete a new or changed object of any kind."""
    complete = _DEFAULTS.get(kind)
    if complete:
        complete(obj)


def _fill(target: Object, **values: Any) -> None:
    for name, value in values.items():
        target.setdefault(name, value)


def _namespace(obj: Object) -> None:
    meta = obj["metadata"]
    meta.setdefault("labels", {})["kubernetes.io/metadata.name"] = meta["name"]
    _fill(obj.setdefault("spec", {}), finalizers=["kubernetes"])


def _node(obj: Object) -> None:
    obj.setdefault("spec", {})


def _service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _fill(spec, allocateLoadBalancerNodePorts=True)
    for port in spec.get("ports", ()):
        _fill(port, protocol="TCP")
        if "port" in port:
            _fill(port, targetPort=port["port"])


def _pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _pod_spec(spec)
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


def _pod_spec(spec: Object) -> None:
    _fill(spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler")
    _fill(spec, securityContext={}, terminationGracePeriodSeconds=30, enableServiceLinks=True)
    containers: Iterable[Object] = [*spec.get("containers", ()), *spec.get("initContainers", ())]
    for container in containers:
        image = str(container.get("image", ""))
        tag = image.rpartition("/")[2].partition(":")[2]
        policy = "Always" if tag in ("", "latest") and "@" not in image else "IfNotPresent"
        _fill(container, imagePullPolicy=policy, resources={})
        _fill(container, terminationMessagePath="/dev/termination-log")
        _fill(container, terminationMessagePolicy="File")
        for port in container.get("ports", ()):
            _fill(port, protocol="TCP")
        for name in ("readinessProbe", "livenessProbe", "startupProbe"):
            if name in container:
                _probe(container[name])


def _probe(probe: Object) -> None:
    _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if "httpGet" in probe:
        _fill(probe["httpGet"], scheme="HTTP", path="/")


def _deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), maxSurge="25%", maxUnavailable="25%")
    _template(spec)


def _replica_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1)
    _template(spec)


def _template(spec: Object) -> None:
    template = spec.get("template")
    if template is not None:
        template.setdefault("metadata", {})
        _pod_spec(template.setdefault("spec", {}))


def _secret(obj: Object) -> None:
    _fill(obj, type="Opaque")
    for name, text in obj.pop("stringData", {}).items():
        obj.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()


def _endpoint_slice(obj: Object) -> None:
    for port in obj.get("ports", ()):
        _fill(port, name="", protocol="TCP")


def _endpoints(obj: Object) -> None:
    for subset in obj.get("subsets", ()):
        for port in subset.get("ports", ()):
            _fill(port, protocol="TCP")


def _custom_resource_definition(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = str(names.get("kind", ""))
    _fill(names, singular=kind.lower(), listKind=kind + "List")
    _fill(spec, conversion={"strategy": "None"})


_DEFAULTS: dict[str, Callable[[Object], None]] = {
    "Namespace": _namespace,
    "Node": _node,
    "Service": _service,
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "Secret": _secret,
    "EndpointSlice": _endpoint_slice,
    "Endpoints": _endpoints,
    "CustomResourceDefinition": _custom_resource_definition,
}
