"""Write models.json: every field of the built-in kinds with its type, from lightkube's models.

Run by hand (`python -m lab.kube.rules.derive_models`) when kinds are added; the server itself reads
only the table, which loads in a millisecond where the models take a third of a second.

The table has the words of Kubernetes' own OpenAPI: what a strategic merge patch merges a list by is
`x-kubernetes-patch-merge-key`, and a strategy without a key merges it as a set.
"""

from __future__ import annotations

import json
import typing
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

Schema = dict[str, Any]

QUANTITIES = {"allocatable", "capacity", "hard", "limits", "overhead", "requests"}
"""Fields that lightkube calls a plain dict and Kubernetes a ResourceList."""

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}
_TIME = {"type": "string", "format": "date-time"}
_ALIASES: dict[str, Schema] = {
    "Quantity": {"type": "string", "format": "quantity"},
    "IntOrString": {"x-kubernetes-int-or-string": True},
    "MicroTime": _TIME,
    "Time": _TIME,
}


def derive() -> dict[str, Schema]:
    """Definition name -> schema, for the kinds of the table and all they reach."""
    roots = [(f"{r.group.partition('.')[0] or 'core'}_{r.version}", r.kind) for r in BUILT_IN]
    table: dict[str, Schema] = {}
    # The last one first: where two groups have a definition of one name, the core's is meant.
    todo = [getattr(import_module(f"lightkube.models.{m}"), n) for m, n in (*OTHERS, *roots[::-1])]
    while todo:
        model = todo.pop()
        if model.__name__ not in table:
            table[model.__name__] = _definition(model, todo)
    return dict(sorted(table.items()))


def _definition(model: Any, reached: list[Any]) -> Schema:
    scope, name = vars(import_module(model.__module__)), model.__name__
    properties = {}
    required = []
    names = zip(model.__struct_fields__, model.__struct_encode_fields__, strict=True)
    for attribute, field in names:
        annotation = model.__annotations__[attribute]
        inner = _schema(annotation, scope, reached)
        if not inner and "dict" in annotation.lower():
            inner = _map(name, field)
        if (key := MERGE_KEYS.get(f"{name}.{field}")) is not None:
            inner["x-kubernetes-patch-strategy"] = "merge"
            inner |= {"x-kubernetes-patch-merge-key": key} if key else {}
        if not annotation.startswith("Optional"):
            required.append(field)
        properties[field] = inner
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": required} if required else schema


def _map(definition: str, field: str) -> Schema:
    if definition == "JSONSchemaProps" or field == "fieldsV1":
        return {}
    values = _ALIASES["Quantity"] if field in QUANTITIES else {"type": "string"}
    return {"type": "object", "additionalProperties": values}


def _schema(text: str, scope: dict[str, Any], reached: list[Any]) -> Schema:
    """One annotation; read as text, because an alias like Quantity is a plain str at run time."""
    outer, _, inner = text.removesuffix("]").partition("[")
    if outer == "Optional":
        return _schema(inner, scope, reached)
    if outer == "List":
        return {"type": "array", "items": _schema(inner, scope, reached)}
    last = text.rpartition(".")[2]
    if last in _ALIASES:
        return _ALIASES[last]
    value = typing.cast(Any, eval(text, scope))
    if hasattr(value, "__struct_fields__"):
        reached.append(value)
        return {"$ref": f"#/definitions/{last}"}
    return {"type": _SCALARS[value]} if value in _SCALARS else {}


if __name__ == "__main__":
    TABLE.write_text(json.dumps(derive(), indent=1, sort_keys=True) + "\n")
