"""What must hold beyond each field by itself (see fields): one function a kind. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from lab.kube import names, selectors
from lab.kube.kinds import Resource
from lab.kube.rules.ip_families import FAMILIES
from lab.kube.status import Cause

Object = dict[str, Any]
Causes = Iterator[Cause]

_DNS_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)
_DNS_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character"
)
_NAMES = {
    "Service": (names.SERVICE_LABEL, 63, _DNS_1035),
    "Namespace": (names.LABEL, 63, names.LABEL_RULE),
}


def validate(resource: Resource, new: Object, old: Object | None) -> list[Cause]:
    """Every mistake of an object that is to be stored; `old` is what it replaces."""
    causes = list(_name(resource, new["metadata"]["name"]))
    check = _CHECKS.get(resource.kind)
    if check and not resource.custom:
        causes += check(new, old)
    return causes


def _name(resource: Resource, name: str) -> Causes:
    usual = (names.SUBDOMAIN, 253, _DNS_SUBDOMAIN)
    pattern, limit, text = usual if resource.custom else _NAMES.get(resource.kind, usual)
    if len(name) > limit:
        yield Cause.invalid("metadata.name", name, f"must be no more than {limit} characters")
    elif not pattern.fullmatch(name):
        yield Cause.invalid("metadata.name", name, text)


def _immutable(path: str, new: Object, old: Object | None) -> Causes:
    before, after = (_at(o, path) for o in (old, new)) if old else (None, None)
    if old and before != after:
        yield Cause.invalid(path, after, "field is immutable")


def _at(obj: Any, path: str) -> Any:
    for step in path.split("."):
        obj = obj.get(step) if isinstance(obj, Mapping) else None
    return obj


def _service(new: Object, old: Object | None) -> Causes:
    spec = new["spec"]
    if not spec.get("ports") and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield Cause.required("spec.ports")
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        yield Cause.required("spec.externalName")
    yield from _service_ports(spec.get("ports", []), spec["type"])
    yield from _service_outside(spec)
    if old and spec["type"] == old["spec"]["type"] == "LoadBalancer":
        yield from _immutable("spec.loadBalancerClass", new, old)


def _service_outside(spec: Object) -> Causes:
    """What only a Service that clients outside of the cluster can reach may say."""
    kind = spec["type"]
    if spec.get("loadBalancerSourceRanges") and kind != "LoadBalancer":
        text = "may only be used when `type` is 'LoadBalancer'"
        yield Cause.forbidden("spec.loadBalancerSourceRanges", text)
    reachable = kind in ("NodePort", "LoadBalancer") or (
        kind == "ClusterIP" and spec.get("externalIPs")
    )
    if spec.get("externalTrafficPolicy") and not reachable:
        text = "may only be set for externally-accessible services"
        policy = spec["externalTrafficPolicy"]
        yield Cause.invalid("spec.externalTrafficPolicy", policy, text)


def _service_ports(ports: list[Object], kind: str) -> Causes:
    seen: set[object] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        if len(ports) > 1 and not port.get("name"):
            yield Cause.required(f"{path}.name")
        if port.get("nodePort") and kind in ("ClusterIP", "ExternalName"):
            text = "may not be used when `type` is 'ClusterIP'"
            yield Cause.forbidden(f"{path}.nodePort", text)
        for value, where in (
            (port.get("name"), f"{path}.name"),
            ((port["port"], port["protocol"]), path),
        ):
            if value and value in seen:
                yield Cause.duplicate(where, value)
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
            where, name = f"{path}.{group}[{index}]", container["name"]
            if name in seen:
                yield Cause.duplicate(f"{where}.name", name)
            seen.add(name)
            if not container.get("image"):
                yield Cause.required(f"{where}.image")


def _workload(new: Object, old: Object | None) -> Causes:
    spec = new["spec"]
    template, selector = spec.get("template"), spec["selector"]
    if template is None:
        return
    labels = template["metadata"].get("labels") or {}
    wanted = selectors.from_object(selector) or ()
    if not wanted:
        yield Cause.invalid("spec.selector", "{}", "empty selector is invalid for workloads")
    elif not selectors.matches(wanted, labels):
        text = "`selector` does not match template `labels`"
        yield Cause.invalid("spec.template.metadata.labels", labels, text)
    yield from _pod_spec(template["spec"], "spec.template.spec")
    if template["spec"]["restartPolicy"] in ("OnFailure", "Never"):
        policy = template["spec"]["restartPolicy"]
        yield Cause.unsupported("spec.template.spec.restartPolicy", policy, ("Always",))
    yield from _immutable("spec.selector", new, old)


def _deployment(new: Object, old: Object | None) -> Causes:
    yield from _workload(new, old)
    strategy = new["spec"]["strategy"]
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
    full = f"{spec['names']['plural']}.{spec['group']}"
    if new["metadata"]["name"] != full:
        text = f'must be spec.names.plural+"."+spec.group, "{full}"'
        yield Cause.invalid("metadata.name", new["metadata"]["name"], text)
    if sum(v["storage"] for v in spec["versions"]) != 1:
        text = "must have exactly one version marked as storage version"
        yield Cause.invalid("spec.versions", "", text)
    for index, version in enumerate(spec["versions"]):
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


def _endpoint_slice(new: Object, old: Object | None) -> Causes:
    yield from _immutable("addressType", new, old)
    kind = new["addressType"]
    if kind not in FAMILIES:
        return
    for index, endpoint in enumerate(new.get("endpoints") or ()):
        for place, address in enumerate(endpoint["addresses"]):
            if not _is_of(kind, address):
                path = f"endpoints[{index}].addresses[{place}]"
                yield Cause.invalid(path, address, f"must be a valid {kind} address")


def _is_of(family: str, address: str) -> bool:
    try:
        return ip_address(address).version == int(family[-1])
    except ValueError:
        return False


_CHECKS: dict[str, Callable[[Object, Object | None], Causes]] = {
    "Service": _service,
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _workload,
    "EndpointSlice": _endpoint_slice,
    "ConfigMap": _config,
    "Secret": _config,
    "CustomResourceDefinition": _custom_resource_definition,
}
