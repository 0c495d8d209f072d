"""An OpenAPI 2.0 document in gnostic's protobuf form, the only one that older kubectl asks for.

Field numbers from gnostic's OpenAPIv2.proto. Messages are plain dicts here: for each message a
table tells the number and the form of the fields that a Kubernetes document uses. The protobuf
runtime takes 90 ms to read such a document from JSON, five times as long, and kubectl apply waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Encoder = Callable[[Any], bytes]


def document(doc: Mapping[str, Any]) -> bytes:
    """The whole document (message Document)."""
    return _message(doc, _DOCUMENT)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _text(value: str) -> bytes:
    return value.encode()


def _message(value: Mapping[str, Any], fields: Mapping[str, tuple[int, Encoder | None]]) -> bytes:
    """Fields by their table; what starts with `x-` goes to the table's vendor extensions."""
    out = []
    extensions = fields["x-"][0] if "x-" in fields else 0
    for name, inner in value.items():
        number, encode = fields.get(name, (0, None))
        if name.startswith("x-") and extensions:
            out.append(_field(extensions, _named_any(name, inner)))
        elif number and encode is None:
            out.append(_varint(number << 3) + _varint(int(inner)))
        elif number and encode:
            items = inner if isinstance(inner, list) else [inner]
            out += [_field(number, encode(item)) for item in items]
    return b"".join(out)


def _named_any(name: str, value: Any) -> bytes:
    # Any.yaml; JSON is YAML.
    return _field(1, name.encode()) + _field(2, _field(2, msgspec.json.encode(value)))


def _named(encode: Encoder, number: int = 1) -> Encoder:
    """A map: repeated messages of a name and a value."""

    def encode_map(value: Mapping[str, Any]) -> bytes:
        pairs = (
            _field(1, name.encode()) + _field(2, encode(inner)) for name, inner in value.items()
        )
        return b"".join(_field(number, pair) for pair in pairs)

    return encode_map


def _schema(value: Mapping[str, Any]) -> bytes:
    return _message(value, _SCHEMA)


def _additional(value: Any) -> bytes:
    if isinstance(value, bool):
        return _varint(2 << 3) + _varint(int(value))
    return _field(1, _schema(value))


def _operation(value: Mapping[str, Any]) -> bytes:
    return _message(value, _OPERATION)


def _parameter(value: Mapping[str, Any]) -> bytes:
    """ParametersItem > Parameter > NonBodyParameter > QueryParameterSubSchema."""
    return _field(1, _field(2, _field(3, _message(value, _QUERY_PARAMETER))))


def _response(value: Mapping[str, Any]) -> bytes:
    return _field(1, _message(value, {"description": (1, _text)}))


_SCHEMA: dict[str, tuple[int, Encoder | None]] = {
    "$ref": (1, _text),
    "format": (2, _text),
    "description": (4, _text),
    "pattern": (13, _text),
    "maxItems": (14, None),
    "minItems": (15, None),
    "required": (19, _text),
    "additionalProperties": (21, _additional),
    "type": (22, lambda value: _field(1, value.encode())),
    "items": (23, lambda value: _field(1, _schema(value))),
    "properties": (25, _named(_schema)),
    "x-": (31, None),
}
_QUERY_PARAMETER: dict[str, tuple[int, Encoder | None]] = {
    "in": (2, _text),
    "name": (4, _text),
    "type": (6, _text),
}
_OPERATION: dict[str, tuple[int, Encoder | None]] = {
    "parameters": (8, _parameter),
    "responses": (9, _named(_response)),
    "x-": (13, None),
}
_INFO: dict[str, tuple[int, Encoder | None]] = {"title": (1, _text), "version": (2, _text)}
_PATH_ITEM: dict[str, tuple[int, Encoder | None]] = {"patch": (8, _operation)}
_DOCUMENT: dict[str, tuple[int, Encoder | None]] = {
    "swagger": (1, _text),
    "info": (2, lambda value: _message(value, _INFO)),
    "paths": (8, _named(lambda value: _message(value, _PATH_ITEM), number=2)),
    "definitions": (9, _named(_schema)),
}
