"""What fields an object may have, of which types: one walk for built-in and custom kinds.

Built-in kinds come from models.json (see derive_models), custom ones bring OpenAPI v3 themselves;
both are OpenAPI here, so the same tree serves validation, merge keys and /openapi.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from lab.kube.kinds import Resource
from lab.kube.names import parse_time
from lab.kube.rules.fields import FIELDS, FORMATS
from lab.kube.status import Cause

Schema = dict[str, Any]

_REF = "#/definitions/"
_QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")
_EVERY: dict[str, Schema] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"$ref": _REF + "ObjectMeta"},
}
_PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "array": (list,), "object": (dict,),
}  # fmt: skip
_BOUNDS: dict[type, str] = {str: "Length", list: "Items", dict: "Properties"}
"""What follows `min` and `max` in a schema, where it is not `imum`."""
_GO = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_GO_WANTED = {"integer": "int32", "boolean": "bool", "array": "[]", "object": "map"}


@cache
def definitions() -> dict[str, Schema]:
    """Every built-in definition as an OpenAPI schema, `$ref`s and merge keys included."""
    raw = Path(__file__).with_name("models.json").read_bytes()
    found = msgspec.json.decode(raw, type=dict[str, Schema])
    for place, rules in FIELDS.items():
        definition, _, field = place.partition(".")
        found[definition]["properties"][field] |= rules
    return found


def of(resource: Resource) -> Schema:
    """The schema of a kind, with the fields that every kind has."""
    if resource.schema is None:
        return definitions()[resource.kind]
    return {**resource.schema, "properties": {**resource.schema.get("properties", {}), **_EVERY}}


def resolve(schema: Schema) -> Schema:
    """Follow a `$ref` to its definition."""
    while reference := schema.get("$ref"):
        schema = definitions()[reference[len(_REF) :]]
    return schema


@dataclass
class Findings:
    """What is wrong with an object. `unknown` fields were dropped from it, as Kubernetes does."""

    unknown: list[str]
    types: list[str]
    causes: list[Cause]


def check(resource: Resource, obj: Any) -> Findings:
    """Walk an object that nobody else holds yet: drop nulls and unknown fields, fill defaults."""
    findings = Findings([], [], [])
    _walk(of(resource), obj, "", findings)
    return findings


def _walk(schema: Schema, value: Any, path: str, findings: Findings) -> None:
    form = FORMATS.get(schema.get("format", ""))
    schema = resolve(schema)
    if not _type_fits(schema, value):
        findings.types.append(_type_error(schema, value, path))
        return
    if isinstance(value, dict):
        _walk_object(schema, value, path, findings)
    elif isinstance(value, list):
        value[:] = [item for item in value if item is not None]
        for index, item in enumerate(value):
            _walk(schema.get("items", {}), item, f"{path}[{index}]", findings)
    findings.causes.extend(_value_errors(schema, value, path))
    if form and not findings.types:
        findings.causes.extend(form(path, value))


def _walk_object(schema: Schema, value: dict[str, Any], path: str, findings: Findings) -> None:
    properties = schema.get("properties", {})
    extra = schema.get("additionalProperties")
    closed = bool(properties) and not extra
    closed = closed and not schema.get("x-kubernetes-preserve-unknown-fields")
    for name in [n for n, v in value.items() if v is None]:
        del value[name]
    for name, inner in properties.items():
        if "default" in inner and name not in value:
            value[name] = copy.deepcopy(inner["default"])
    for name in list(value):
        inner = properties.get(name, extra if isinstance(extra, dict) else {})
        where = f"{path}.{name}" if path else name
        if closed and name not in properties:
            findings.unknown.append(where)
            del value[name]
        else:
            _walk(inner, value[name], where, findings)
    for name in schema.get("required", ()):
        if name not in value:
            findings.causes.append(Cause.required(f"{path}.{name}" if path else name))


def _type_fits(schema: Schema, value: Any) -> bool:
    seen, form = type(value), schema.get("format")
    if schema.get("x-kubernetes-int-or-string"):
        return seen in (int, str)
    if form == "quantity":
        return seen in (int, float) or (seen is str and bool(_QUANTITY.fullmatch(value)))
    if "type" not in schema:
        return True
    if seen not in _PYTHON[schema["type"]]:
        return False
    if form == "date-time":
        return _is_time(value)
    return seen is not int or -(2**63) <= value < 2**63


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def _type_error(schema: Schema, value: Any, path: str) -> str:
    if schema.get("format") == "quantity":
        return f"{path}: quantities must match the regular expression {_QUANTITY.pattern!r}"
    if schema.get("format") == "date-time" and isinstance(value, str):
        return f'{path}: parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse'
    seen = _GO[type(value)]
    wanted = _GO_WANTED.get(schema.get("type", ""), schema.get("type", "intstr.IntOrString"))
    return f"json: cannot unmarshal {seen} into Go struct field {path} of type {wanted}"


def _value_errors(schema: Schema, value: Any, path: str) -> Iterator[Cause]:
    if "enum" in schema and value not in schema["enum"]:
        yield Cause.unsupported(path, value, [str(choice) for choice in schema["enum"]])
    text = isinstance(value, str)
    if text and "pattern" in schema and not re.search(schema["pattern"], value):
        yield Cause.invalid(path, value, f"{path} in body should match '{schema['pattern']}'")
    bound = _BOUNDS.get(type(value), "imum")
    measure = value if bound == "imum" else len(value)
    shown = value if text else measure
    low, high = schema.get("min" + bound), schema.get("max" + bound)
    if low is not None and measure < low:
        yield Cause.invalid(path, shown, f"{path} in body should be greater than or equal to {low}")
    if high is not None and measure > high:
        yield Cause.invalid(path, shown, f"{path} in body should be less than or equal to {high}")
