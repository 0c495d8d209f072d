"""Kubernetes' protobuf form of built-in objects, as bodies that newer kubectl sends.

Only reading: answers are JSON, which every client accepts beside it. protobuf.json has the field
numbers of Kubernetes' generated.proto files (they never change), models.json the types; `*N` in
the former is an embedded message whose fields JSON shows in line. A field that the table does not
know is dropped, as a server of an older release would drop it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from lab.kube.rules import schema
from lab.kube.status import bad_request

Object = dict[str, Any]
Field = tuple[int, int | bytes]
"""Number and value: an integer for a varint, bytes for everything with a length."""

MEDIA = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
LONGEST_VARINT = 10
DEEPEST = 50
"""Messages in messages; no kind comes near."""

_BYTES = {("Secret", "data"), ("ConfigMap", "binaryData")}
_MEANT = {
    "replicas", "revisionHistoryLimit", "progressDeadlineSeconds", "gracePeriodSeconds",
    "terminationGracePeriodSeconds", "activeDeadlineSeconds", "tolerationSeconds", "runAsUser",
    "runAsGroup", "fsGroup", "priority", "automountServiceAccountToken", "enableServiceLinks",
    "allocateLoadBalancerNodePorts", "runAsNonRoot", "allowPrivilegeEscalation",
}  # fmt: skip
"""Pointers in Kubernetes' types: sent only when set, so that 0 and false are meant. All other
zero values are sent always and mean nothing, as JSON leaves them out."""


def decode(body: bytes) -> Object:
    """A body that starts with MAGIC, as the object that it stands for; 400 when it is none."""
    if not body.startswith(MAGIC):
        raise bad_request("the body does not start with the protobuf prefix of Kubernetes")
    envelope = dict(_fields(body[len(MAGIC) :]))
    names = dict(_fields(_payload(envelope.get(1, b""))))
    api_version, kind = (_text(names.get(number, b"")) for number in (1, 2))
    if kind not in _numbers():
        raise bad_request(f"{api_version} {kind} is not accepted as protobuf, only as JSON")
    obj = _message(kind, _payload(envelope.get(2, b"")), 0)
    return {"apiVersion": api_version, "kind": kind, **obj}


@cache
def _numbers() -> dict[str, dict[int, str | dict[int, str]]]:
    """Definition -> number -> field name, or the numbers of an embedded message."""
    table = msgspec.json.decode(Path(__file__).with_name("protobuf.json").read_bytes())
    return {
        name: {
            (int(field[1:]) if field.startswith("*") else number): (
                {n: f for f, n in number.items()} if field.startswith("*") else field
            )
            for field, number in fields.items()
        }
        for name, fields in table.items()
    }


@cache
def _types() -> dict[str, dict[str, str]]:
    eviction = {"metadata": "#ObjectMeta", "deleteOptions": "#DeleteOptions"}
    types = {**schema.models(), "Eviction": eviction}
    return {n: {f: t.rstrip("!").partition("@")[0] for f, t in d.items()} for n, d in types.items()}


def _fields(data: bytes) -> Iterator[Field]:
    """The fields of one message; 400 when the bytes end inside one."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        wire = tag & 7
        value: int | bytes
        if wire == 0:
            value, place = _varint(data, place)
        elif wire in (1, 2, 5):
            length = {1: 8, 5: 4}.get(wire, 0)
            if wire == 2:
                length, place = _varint(data, place)
            value, place = data[place : place + length], place + length
            if place > len(data):
                raise bad_request("protobuf: unexpected EOF")
        else:
            raise bad_request(f"protobuf: wire type {wire}")
        yield tag >> 3, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(data[place : place + LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, place + shift + 1
    raise bad_request("protobuf: unexpected EOF")


def _message(definition: str, data: bytes, depth: int) -> Object:
    if depth > DEEPEST:
        raise bad_request("protobuf: messages are nested too deep")
    numbers, types = _numbers().get(definition, {}), _types()[definition]
    obj: Object = {}
    for number, value in _fields(data):
        name = numbers.get(number)
        if isinstance(name, dict):
            for inner, part in _fields(_payload(value)):
                if inner in name:
                    _put(obj, definition, name[inner], types[name[inner]], part, depth)
        elif name is not None:
            _put(obj, definition, name, types[name], value, depth)
    return obj


def _put(
    obj: Object, definition: str, name: str, kind: str, value: int | bytes, depth: int
) -> None:
    if kind.startswith("[]"):
        obj.setdefault(name, []).append(_value(kind[2:], value, depth))
    elif kind.startswith("{}"):
        pair = dict(_fields(_payload(value)))
        raw = pair.get(2, b"")
        binary = (definition, name) in _BYTES
        inner = base64.b64encode(_payload(raw)).decode() if binary else _value(kind[2:], raw, depth)
        obj.setdefault(name, {})[_text(pair.get(1, b""))] = inner
    else:
        read = _value(kind, value, depth)
        if read is None or (not read and not isinstance(read, dict) and name not in _MEANT):
            return
        obj[name] = read


def _value(kind: str, value: int | bytes, depth: int) -> Any:
    if kind.startswith("#"):
        return _message(kind[1:], _payload(value), depth + 1)
    if kind in ("integer", "boolean"):
        if not isinstance(value, int):
            raise bad_request(f"protobuf: a varint is expected for {kind}")
        signed = value - (1 << 64) if value >= 1 << 63 else value
        return bool(value) if kind == "boolean" else signed
    if kind == "string":
        return _text(value)
    parts = dict(_fields(_payload(value)))
    if kind == "quantity":
        return _text(parts.get(1, b""))
    if kind == "intstr":
        return _text(parts.get(3, b"")) if parts.get(1) else parts.get(2, 0)
    return _time(parts) if kind == "time" else None


def _time(parts: dict[int, int | bytes]) -> str | None:
    """Seconds and nanoseconds since 1970; a Time that was never set has a date before it."""
    seconds = parts.get(1, 0)
    if not isinstance(seconds, int) or not 0 < seconds < 1 << 36:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _payload(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise bad_request("protobuf: a length-delimited field is expected")
    return value


def _text(value: int | bytes) -> str:
    try:
        return _payload(value).decode()
    except UnicodeDecodeError as exc:
        raise bad_request("protobuf: a string is not UTF-8") from exc
