"""Write models.json: every field of the built-in kinds with its type, from lightkube's models.

Run by hand (`python -m lab.kube.rules.derive_models`) when kinds are added; the server itself reads
only the table, which loads in a millisecond where the models take a third of a second.

A type is `string`, `integer`, `number`, `boolean`, `time`, `quantity`, `intstr`, `any`, or
`#Definition`; `[]T` and `{}T` are lists and maps of T; a trailing `!` marks a required field;
`@key` says that a strategic merge patch merges the list by that key, a bare `@` as a set.
"""

from __future__ import annotations

import json
import typing
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("models.json")

MODULES = (
    "core_v1", "apps_v1", "discovery_v1", "coordination_v1", "authorization_v1",
    "apiextensions_v1", "meta_v1",
)  # fmt: skip
ROOTS = {
    "core_v1": [
        "Namespace",
        "Node",
        "Pod",
        "Service",
        "Endpoints",
        "ConfigMap",
        "Secret",
        "Event",
        "Binding",
    ],
    "apps_v1": ["Deployment", "ReplicaSet"],
    "discovery_v1": ["EndpointSlice"],
    "coordination_v1": ["Lease"],
    "authorization_v1": ["SelfSubjectAccessReview"],
    "apiextensions_v1": ["CustomResourceDefinition"],
    "meta_v1": ["DeleteOptions"],
}

MERGE_KEYS = {
    "PodSpec.containers": "name",
    "PodSpec.initContainers": "name",
    "PodSpec.ephemeralContainers": "name",
    "PodSpec.volumes": "name",
    "PodSpec.imagePullSecrets": "name",
    "PodSpec.hostAliases": "ip",
    "PodSpec.topologySpreadConstraints": "topologyKey",
    "PodSpec.resourceClaims": "name",
    "Container.ports": "containerPort",
    "Container.env": "name",
    "Container.volumeMounts": "mountPath",
    "Container.volumeDevices": "devicePath",
    "EphemeralContainer.ports": "containerPort",
    "EphemeralContainer.env": "name",
    "EphemeralContainer.volumeMounts": "mountPath",
    "EphemeralContainer.volumeDevices": "devicePath",
    "PodStatus.podIPs": "ip",
    "PodStatus.conditions": "type",
    "ServiceSpec.ports": "port",
    "ServiceStatus.conditions": "type",
    "NodeSpec.podCIDRs": "",
    "NodeSpec.taints": "key",
    "NodeStatus.addresses": "type",
    "NodeStatus.conditions": "type",
    "NamespaceStatus.conditions": "type",
    "DeploymentStatus.conditions": "type",
    "ReplicaSetStatus.conditions": "type",
    "ObjectMeta.finalizers": "",
    "ObjectMeta.ownerReferences": "uid",
}
"""The lists that Kubernetes' API reference marks with a patch strategy `merge`."""

QUANTITIES = {"allocatable", "capacity", "hard", "limits", "overhead", "requests"}
"""Fields that lightkube calls a plain dict and Kubernetes a ResourceList."""

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", datetime: "time"}


def derive() -> dict[str, dict[str, str]]:
    """Definition name -> field name -> type, for the roots and all they reach."""
    modules = [import_module(f"lightkube.models.{name}") for name in MODULES]
    quantity = import_module("lightkube.models.resource").Quantity
    known: dict[str, Any] = {"quantity": quantity}
    for module in reversed(modules):
        known |= {
            n: c for n, c in vars(module).items() if getattr(c, "__module__", "") == module.__name__
        }
    table: dict[str, dict[str, str]] = {}
    todo = [name for names in ROOTS.values() for name in names]
    while todo:
        name = todo.pop()
        if name in table:
            continue
        table[name] = _fields(known[name], name)
        todo += [
            t.rstrip("!").split("@")[0].split("#")[1] for t in table[name].values() if "#" in t
        ]
    return dict(sorted(table.items()))


def _fields(model: Any, name: str) -> dict[str, str]:
    scope = vars(import_module(model.__module__))
    fields = {}
    names = zip(model.__struct_fields__, model.__struct_encode_fields__, strict=True)
    for attribute, field in names:
        annotation = model.__annotations__[attribute]
        text = _type(annotation, scope)
        if text == "any" and "dict" in annotation.lower():
            text = _map_type(name, field)
        if f"{name}.{field}" in MERGE_KEYS:
            text += "@" + MERGE_KEYS[f"{name}.{field}"]
        fields[field] = text + "!" * (not annotation.startswith("Optional"))
    return fields


def _map_type(definition: str, field: str) -> str:
    if field in QUANTITIES:
        return "{}quantity"
    return "any" if definition == "JSONSchemaProps" or field == "fieldsV1" else "{}string"


def _type(text: str, scope: dict[str, Any]) -> str:
    """One annotation; read as text, because an alias like Quantity is a plain str at run time."""
    for prefix, mark in (("Optional[", ""), ("List[", "[]"), ("Dict[str, ", "{}")):
        if text.startswith(prefix):
            return mark + _type(text[len(prefix) : -1], scope)
    last = text.rpartition(".")[2]
    if last in ("Quantity", "IntOrString", "MicroTime", "Time"):
        return {"Quantity": "quantity", "IntOrString": "intstr"}.get(last, "time")
    value = typing.cast(Any, eval(text, scope))
    if value in _SCALARS:
        return _SCALARS[value]
    return f"#{last}" if hasattr(value, "__struct_fields__") else "any"


if __name__ == "__main__":
    TABLE.write_text(json.dumps(derive(), indent=0, sort_keys=True) + "\n")
