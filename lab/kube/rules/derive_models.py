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

from lab.kube.kinds import BUILT_IN

TABLE = Path(__file__).with_name("models.json")

OTHERS = (("core_v1", "Binding"), ("meta_v1", "DeleteOptions"))
"""What clients send beside the kinds of the table."""

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
_ALIASES = {"Quantity": "quantity", "IntOrString": "intstr", "MicroTime": "time", "Time": "time"}


def derive() -> dict[str, dict[str, str]]:
    """Definition name -> field name -> type, for the kinds of the table and all they reach."""
    roots = [(f"{r.group.partition('.')[0] or 'core'}_{r.version}", r.kind) for r in BUILT_IN]
    table: dict[str, dict[str, str]] = {}
    # The last one first: where two groups have a definition of one name, the core's is meant.
    todo = [getattr(import_module(f"lightkube.models.{m}"), n) for m, n in (*OTHERS, *roots[::-1])]
    while todo:
        model = todo.pop()
        if model.__name__ not in table:
            table[model.__name__] = _fields(model, todo)
    return dict(sorted(table.items()))


def _fields(model: Any, reached: list[Any]) -> dict[str, str]:
    scope, name = vars(import_module(model.__module__)), model.__name__
    fields = {}
    names = zip(model.__struct_fields__, model.__struct_encode_fields__, strict=True)
    for attribute, field in names:
        annotation = model.__annotations__[attribute]
        text = _type(annotation, scope, reached)
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


def _type(text: str, scope: dict[str, Any], reached: list[Any]) -> str:
    """One annotation; read as text, because an alias like Quantity is a plain str at run time."""
    for prefix, mark in (("Optional[", ""), ("List[", "[]"), ("Dict[str, ", "{}")):
        if text.startswith(prefix):
            return mark + _type(text[len(prefix) : -1], scope, reached)
    last = text.rpartition(".")[2]
    if last in _ALIASES:
        return _ALIASES[last]
    value = typing.cast(Any, eval(text, scope))
    if hasattr(value, "__struct_fields__"):
        reached.append(value)
        return f"#{last}"
    return _SCALARS.get(value, "any")


if __name__ == "__main__":
    TABLE.write_text(json.dumps(derive(), indent=0, sort_keys=True) + "\n")
