"""What must hold beyond the right fields of the right types: one function a kind. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from lab.kube import names, selectors
from lab.kube.kinds import Resource
from lab.kube.status import Cause

Object = dict[str, Any]
Causes = Iterator[Cause]

SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("SCTP", "TCP", "UDP")

_DNS_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character"
)
_DNS_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)
_DNS_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character"
)


def validate(resource: Resource, new: Object, old: Object | None) -> list[Cause]:
    """Every mistake of an object that is to be stored; `old` is what it replaces."""
    causes = list(_metadata(resource, new["metadata"]))
    check = _CHECKS.get(resource.kind)
    if check and not resource.custom:
        causes += check(new, old)
    return causes


def _metadata(resource: Resource, meta: Object) -> Causes:
    name = meta["name"]
    if resource.kind == "Service":
        pattern, limit, text = names.SERVICE_LABEL, 63, _DNS_1035
    elif resource.kind == "Namespace":
        pattern, limit, text = names.LABEL, 63, _DNS_LABEL
    else:
        pattern, limit, text = names.SUBDOMAIN, 253, _DNS_SUBDOMAIN
    if len(name) > limit:
        yield Cause.invalid("metadata.name", name, f"must be no more than {limit} characters")
    elif not pattern.fullmatch(name):
        yield Cause.invalid("metadata.name", name, text)
    yield from _labels(meta.get("labels") or {}, "metadata.labels")
    for key in meta.get("annotations") or {}:
        if not names.LABEL_KEY.fullmatch(key.lower()):
            yield Cause.invalid("metadata.annotations", key, "name part must be a qualified name")


def _labels(labels: Mapping[str, str], path: str) -> Causes:
    for key, value in labels.items():
        if not names.LABEL_KEY.fullmatch(key):
            yield Cause.invalid(path, key, "name part must be a qualified name")
        if not names.LABEL_VALUE.fullmatch(value):
            text = "a valid label must be an empty string or consist of alphanumeric characters"
            yield Cause.invalid(path, value, text)


def _immutable(path: str, new: Object, old: Object | None) -> Causes:
    before, after = (_at(o, path) for o in (old, new)) if old else (None, None)
    if old and before != after:
        yield Cause.invalid(path, after, "field is immutable")


def _at(obj: Any, path: str) -> Any:
    for step in path.split("."):
        obj = obj.get(step) if isinstance(obj, Mapping) else None
    return obj


def _port(path: str, value: Any, *, names_too: bool = False) -> Causes:
    if isinstance(value, str):
        if not names_too or not re.fullmatch(
            r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?", value
        ):
            yield Cause.invalid(
                path, value, "must contain only alpha-numeric characters (a-z, 0-9)"
            )
    elif not 1 <= value <= 65535:
        yield Cause.invalid(path, value, "must be between 1 and 65535, inclusive")


def _address(path: str, value: str) -> Causes:
    try:
        ip_address(value)
    except ValueError:
        yield Cause.invalid(
            path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        )


def _service(new: Object, old: Object | None) -> Causes:
    spec = new["spec"]
    if spec["type"] not in SERVICE_TYPES:
        yield Cause.unsupported("spec.type", spec["type"], SERVICE_TYPES)
    if not spec.get("ports") and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield Cause.required("spec.ports")
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        yield Cause.required("spec.externalName")
    yield from _service_ports(spec.get("ports", []), spec["type"])
    for name, choices in (("externalTrafficPolicy", ("Cluster", "Local")),
                          ("internalTrafficPolicy", ("Cluster", "Local")),
                          ("sessionAffinity", ("ClientIP", "None"))):  # fmt: skip
        if name in spec and spec[name] not in choices:
            yield Cause.unsupported(f"spec.{name}", spec[name], choices)
    for index, address in enumerate(spec.get("externalIPs", ())):
        yield from _address(f"spec.externalIPs[{index}]", address)
    if spec.get("loadBalancerIP"):
        yield from _address("spec.loadBalancerIP", spec["loadBalancerIP"])
    yield from _labels(spec.get("selector") or {}, "spec.selector")
    if old and spec["type"] == old["spec"]["type"] == "LoadBalancer":
        yield from _immutable("spec.loadBalancerClass", new, old)


def _service_ports(ports: list[Object], kind: str) -> Causes:
    seen: set[object] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        if len(ports) > 1 and not port.get("name"):
            yield Cause.required(f"{path}.name")
        yield from _port(f"{path}.port", port.get("port", 0))
        yield from _port(f"{path}.targetPort", port.get("targetPort", 1), names_too=True)
        if port["protocol"] not in PROTOCOLS:
            yield Cause.unsupported(f"{path}.protocol", port["protocol"], PROTOCOLS)
        if port.get("nodePort") and kind in ("ClusterIP", "ExternalName"):
            text = "may not be used when `type` is 'ClusterIP'"
            yield Cause.forbidden(f"{path}.nodePort", text)
        for value, field in (
            (port.get("name"), "name"),
            ((port.get("port"), port["protocol"]), ""),
        ):
            if value and value in seen:
                yield Cause.duplicate(f"{path}.{field}".rstrip("."), value)
            seen.add(value)


def _pod(new: Object, old: Object | None) -> Causes:
    yield from _pod_spec(new.get("spec", {}), "spec")
    if old:
        before, after = _frozen_pod_spec(old["spec"]), _frozen_pod_spec(new["spec"])
        if before != after:
            yield Cause.forbidden(
                "spec",
                "pod updates may not change fields other than `spec.containers[*].image`,"
                "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
                "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
                "(allow it to be set to 1 if it was previously negative)",
            )


def _frozen_pod_spec(spec: Object) -> Object:
    free = ("tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds", "nodeName")
    frozen = {k: v for k, v in spec.items() if k not in free}
    for group in ("containers", "initContainers"):
        if group in frozen:
            frozen[group] = [{**c, "image": ""} for c in frozen[group]]
    return frozen


def _pod_spec(spec: Object, path: str) -> Causes:
    if not spec.get("containers"):
        yield Cause.required(f"{path}.containers")
    seen: set[str] = set()
    for group in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(group, ())):
            where = f"{path}.{group}[{index}]"
            name = container.get("name", "")
            if name in seen:
                yield Cause.duplicate(f"{where}.name", name)
            elif not names.LABEL.fullmatch(name):
                yield Cause.invalid(f"{where}.name", name, _DNS_LABEL)
            seen.add(name)
            if not container.get("image"):
                yield Cause.required(f"{where}.image")
            yield from _container_ports(container.get("ports", ()), where)
    if spec.get("restartPolicy") not in ("Always", "OnFailure", "Never"):
        choices = ("Always", "OnFailure", "Never")
        yield Cause.unsupported(f"{path}.restartPolicy", spec.get("restartPolicy"), choices)


def _container_ports(ports: list[Object], where: str) -> Causes:
    for index, port in enumerate(ports):
        path = f"{where}.ports[{index}]"
        yield from _port(f"{path}.containerPort", port.get("containerPort", 0))
        if port["protocol"] not in PROTOCOLS:
            yield Cause.unsupported(f"{path}.protocol", port["protocol"], PROTOCOLS)


def _workload(new: Object, old: Object | None) -> Causes:
    spec = new["spec"]
    if not 0 <= spec.get("replicas", 0) < 2**31:
        yield Cause.invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    template, selector = spec.get("template"), spec.get("selector")
    if template is None or selector is None:
        return
    labels = template["metadata"].get("labels") or {}
    wanted = selectors.from_object(selector) or ()
    if not wanted:
        yield Cause.invalid("spec.selector", "{}", "empty selector is invalid for workloads")
    elif not selectors.matches(wanted, labels):
        text = "`selector` does not match template `labels`"
        yield Cause.invalid("spec.template.metadata.labels", labels, text)
    yield from _labels(labels, "spec.template.metadata.labels")
    yield from _pod_spec(template["spec"], "spec.template.spec")
    if template["spec"].get("restartPolicy") in ("OnFailure", "Never"):
        policy = template["spec"]["restartPolicy"]
        yield Cause.unsupported("spec.template.spec.restartPolicy", policy, ("Always",))
    yield from _immutable("spec.selector", new, old)


def _deployment(new: Object, old: Object | None) -> Causes:
    yield from _workload(new, old)
    strategy = new["spec"]["strategy"]
    if strategy["type"] not in ("Recreate", "RollingUpdate"):
        choices = ("Recreate", "RollingUpdate")
        yield Cause.unsupported("spec.strategy.type", strategy["type"], choices)
    rolling = strategy.get("rollingUpdate") or {}
    path = "spec.strategy.rollingUpdate"
    if strategy["type"] == "Recreate" and rolling:
        text = "may not be specified when strategy `type` is 'Recreate'"
        yield Cause.forbidden(path, text)
    for name, value in rolling.items():
        if isinstance(value, str) and not re.fullmatch(r"\d{1,3}%", value):
            yield Cause.invalid(f"{path}.{name}", value, "a valid percent string (e.g. '1%')")
        elif isinstance(value, int) and value < 0:
            yield Cause.invalid(f"{path}.{name}", value, "must be greater than or equal to 0")
    if rolling and all(str(v).rstrip("%") in ("0", "00", "000") for v in rolling.values()):
        yield Cause.invalid(f"{path}.maxUnavailable", 0, "may not be 0 when `maxSurge` is 0")


def _config(new: Object, old: Object | None) -> Causes:
    for key in new.get("data") or {}:
        if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key):
            text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
            yield Cause.invalid(f"data[{key}]", key, text)
    if old and old.get("immutable"):
        for name in ("data", "binaryData"):
            if new.get(name) != old.get(name):
                yield Cause.forbidden(name, "field is immutable when `immutable` is set")


def _custom_resource_definition(new: Object, old: Object | None) -> Causes:
    spec = new["spec"]
    names_, group = spec.get("names") or {}, spec.get("group", "")
    if new["metadata"]["name"] != f"{names_.get('plural')}.{group}":
        text = f'must be spec.names.plural+"."+spec.group, "{names_.get("plural")}.{group}"'
        yield Cause.invalid("metadata.name", new["metadata"]["name"], text)
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        yield Cause.unsupported("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    if sum(bool(v.get("storage")) for v in spec.get("versions", ())) != 1:
        text = "must have exactly one version marked as storage version"
        yield Cause.invalid("spec.versions", "", text)
    for index, version in enumerate(spec.get("versions", ())):
        path = f"spec.versions[{index}].schema.openAPIV3Schema"
        body = (version.get("schema") or {}).get("openAPIV3Schema")
        if not body:
            yield Cause.required(path, "schemas are required")
        else:
            yield from _schema(body, path)
    yield from _immutable("spec.scope", new, old)


def _schema(body: Any, path: str) -> Causes:
    """A schema that the walk over custom resources can rely on."""
    if not isinstance(body, dict):
        yield Cause.invalid(path, body, "must be a schema")
        return
    kinds = ("array", "boolean", "integer", "number", "object", "string")
    if body.get("type", "object") not in kinds:
        yield Cause.unsupported(f"{path}.type", body["type"], kinds)
    try:
        re.compile(body.get("pattern", ""))
    except re.error as exc:
        yield Cause.invalid(f"{path}.pattern", body["pattern"], f"must be a valid regex: {exc}")
    properties = body.get("properties", {})
    for name in ("items", "additionalProperties"):
        if isinstance(body.get(name, {}), dict) and body.get(name):
            yield from _schema(body[name], f"{path}.{name}")
    if not isinstance(properties, dict):
        yield Cause.invalid(f"{path}.properties", properties, "must be a map of schemas")
        return
    for name, inner in properties.items():
        yield from _schema(inner, f"{path}.properties[{name}]")


_CHECKS: dict[str, Callable[[Object, Object | None], Causes]] = {
    "Service": _service,
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _workload,
    "ConfigMap": _config,
    "Secret": _config,
    "CustomResourceDefinition": _custom_resource_definition,
}
