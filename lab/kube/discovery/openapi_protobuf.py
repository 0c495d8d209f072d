"""An OpenAPI 2.0 document in gnostic's protobuf form, the only one that older kubectl asks for.

Where JSON has a map, gnostic has a list of names and values; openapi_v2.proto has the messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from google.protobuf.json_format import ParseDict

from lab.kube.wire.messages import messages

Object = dict[str, Any]

FORM = Path(__file__).with_name("openapi_v2.binpb")


def document(doc: Mapping[str, Any]) -> bytes:
    """The whole document (message Document)."""
    message = messages(FORM)["openapi.Document"]()
    form = {
        "swagger": doc["swagger"],
        "info": doc["info"],
        "paths": {"path": _named(doc["paths"], _path_item)},
        "definitions": {"named": _named(doc["definitions"], _schema)},
    }
    # What the messages do not know, old clients do not ask for.
    return ParseDict(form, message, ignore_unknown_fields=True).SerializeToString()


def _named(values: Mapping[str, Any], form: Callable[[Any], Object]) -> list[Object]:
    return [{"name": name, "value": form(value)} for name, value in values.items()]


def _extensions(part: Object) -> list[Object]:
    own = {name: value for name, value in part.items() if name.startswith("x-")}
    return _named(own, lambda value: {"yaml": msgspec.json.encode(value).decode()})


def _path_item(item: Object) -> Object:
    patch = item["patch"]
    operation = {
        "parameters": [{"parameter": {"nonBody": {"query": p}}} for p in patch["parameters"]],
        "responses": {"code": _named(patch["responses"], lambda told: {"response": told})},
        "extensions": _extensions(patch),
    }
    return {"patch": operation}


def _schema(part: Object) -> Object:
    made = {**part, "extensions": _extensions(part)}
    for name in part.keys() & _FORMS.keys():
        made[name] = _FORMS[name](part[name])
    return made


def _additional(value: Any) -> Object:
    return {"boolean": value} if isinstance(value, bool) else {"schema": _schema(value)}


_FORMS: Mapping[str, Callable[[Any], Object]] = {
    "type": lambda value: {"value": [value]},
    "items": lambda value: {"schema": [_schema(value)]},
    "properties": lambda value: {"named": _named(value, _schema)},
    "additionalProperties": _additional,
}
