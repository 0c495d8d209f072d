"""Kubernetes' protobuf form of built-in objects, as bodies that newer kubectl sends.

Only reading: answers are JSON, which every client accepts beside it. A field that kubernetes.proto
does not know is dropped, as a server of an older release would drop it. The compiled form is kept
beside it, so that running the lab needs no compiler:

    python -m grpc_tools.protoc -I. --include_imports -okubernetes.binpb kubernetes.proto
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessages

from lab.kube.status import bad_request

Object = dict[str, Any]

MAGIC = b"k8s\x00"
KINDS = Path(__file__).with_name("kubernetes.binpb")

_EMBEDDED = ("handler", "localObjectReference", "volumeSource")
"""Messages whose fields JSON shows in line."""


def decode(body: bytes) -> Object:
    """A body that starts with MAGIC, as the object that it stands for; 400 when it is none."""
    if not body.startswith(MAGIC):
        raise bad_request("the body does not start with the protobuf prefix of Kubernetes")
    envelope = _read("Envelope", body[len(MAGIC) :])
    about = envelope.get("typeMeta", {})
    return {**about, **_read(about.get("kind", ""), base64.b64decode(envelope.get("raw", "")))}


@cache
def _messages() -> dict[str, type[Message]]:
    """Every message that no other message contains, by its full name."""
    return GetMessages(FileDescriptorSet.FromString(KINDS.read_bytes()).file, DescriptorPool())


def _read(kind: str, raw: bytes) -> Object:
    found = _messages().get(f"kubernetes.{kind}")
    if found is None:
        raise bad_request(f"kind {kind!r} is not accepted as protobuf, only as JSON")
    try:
        obj: Object = _plain(found.FromString(raw))
    except (DecodeError, ValueError) as exc:
        raise bad_request(f"protobuf: {kind}: {exc}") from exc
    return obj


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Message):
        return _object(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if isinstance(value, (str, int, float)) else [_plain(item) for item in value]


def _object(message: Any) -> Any:
    """A message as an object, or as the plain value that it stands for; None for one unset."""
    match message.DESCRIPTOR.name:
        case "Quantity":
            return message.string or None
        case "IntOrString":
            return message.strVal if message.type else message.intVal or None
        case "Timestamp":
            # A Time that was never set has a date before 1970.
            return message.ToJsonString() if message.seconds > 0 else None
    fields = {field.name: _plain(value) for field, value in message.ListFields()}
    for name in _EMBEDDED:
        fields |= fields.pop(name, {})
    return {name: value for name, value in fields.items() if value is not None}
