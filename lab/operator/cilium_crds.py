"""cilium_crds.yaml -> CustomResourceDefinition objects. Pure."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

GROUP = "cilium.io"
_BOUNDED = re.compile(r"(?P<type>\w+)(?: (?P<low>\d+)\.\.(?P<high>\d+))?(?: = (?P<default>\w+))?")
_ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_STRING = {"type": "string"}
_SELECTOR: Object = {
    "type": "object",
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": _STRING},
        "matchExpressions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "operator"],
                "properties": {
                    "key": _STRING,
                    "operator": {
                        "type": "string",
                        "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                    },
                    "values": {"type": "array", "items": _STRING},
                },
            },
        },
    },
}
_CONDITIONS: Object = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["lastTransitionTime", "message", "reason", "status", "type"],
        "properties": {
            "type": _STRING,
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": _STRING,
            "message": _STRING,
            "observedGeneration": {"type": "integer"},
            "lastTransitionTime": {"type": "string", "format": "date-time"},
        },
    },
    "x-kubernetes-list-map-keys": ["type"],
    "x-kubernetes-list-type": "map",
}
_NAMED = {"any": _ANY, "selector": _SELECTOR, "conditions": _CONDITIONS, "string": _STRING}


@cache
def definitions() -> list[Object]:
    """One CustomResourceDefinition for each of Cilium's kinds that the lab knows."""
    text = Path(__file__).with_name("cilium_crds.yaml").read_text()
    return [_definition(entry) for entry in yaml.load(text, Loader=yaml.CSafeLoader)]


def _definition(entry: Object) -> Object:
    columns = [{"name": n, "type": t, "jsonPath": p} for n, t, p in entry["columns"]]
    schema = _type({k: v for k, v in entry.items() if k.rstrip("!") in ("spec", "status")})
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{entry['plural']}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": entry["kind"],
                "plural": entry["plural"],
                "singular": entry["kind"].lower(),
                "shortNames": entry["short"],
                "categories": ["cilium"],
            },
            "scope": entry["scope"],
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == entry["versions"][0],
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}} if "status" in entry else {},
                    "additionalPrinterColumns": columns,
                }
                for version in entry["versions"]
            ],
        },
    }


def _type(short: Any) -> Object:
    """OpenAPI for one short form."""
    if isinstance(short, list):
        return {"type": "array", "items": _type(short[0])}
    if isinstance(short, dict):
        schema: Object = {
            "type": "object",
            "properties": {name.rstrip("!"): _type(inner) for name, inner in short.items()},
        }
        required = [name.rstrip("!") for name in short if name.endswith("!")]
        return {**schema, "required": required} if required else schema
    if short in _NAMED:
        return _NAMED[short]
    if "|" in short or not re.match("string|integer|boolean|time", short):
        return {"type": "string", "enum": short.split("|")}
    return _bounded(short)


def _bounded(short: str) -> Object:
    found = _BOUNDED.fullmatch(short)
    assert found, f"cilium_crds.yaml: {short!r} is no type"
    schema: Object = {"type": found["type"]}
    if found["low"]:
        schema |= {"minimum": int(found["low"]), "maximum": int(found["high"])}
    if found["default"]:
        schema["default"] = yaml.safe_load(found["default"])
    return schema
