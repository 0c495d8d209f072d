"""Bodies of requests -> values, by their content type."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from lab.kube import status
from lab.kube.wire.request import Request

PROTOBUF = "application/vnd.kubernetes.protobuf"


def decode_body(request: Request) -> Any:
    """The body as a value; 400 when it is none of its content type."""
    media = request.media or "application/json"
    if media == PROTOBUF:
        from lab.kube.wire import protobuf  # noqa: PLC0415 - 50 ms that most servers never need

        return protobuf.decode(request.body)
    if media.endswith("yaml"):
        return decode_yaml(request.body)
    if not (media.endswith("json") or media == "*/*"):
        raise status.unsupported_media(f"application/json, application/yaml, {PROTOBUF}")
    try:
        return msgspec.json.decode(request.body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as exc:
        raise status.bad_request(f"the object provided is unrecognized: {exc}") from exc


def decode_yaml(text: bytes) -> Any:
    """One YAML document without aliases (a few of them can stand for gigabytes)."""
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise status.bad_request("yaml: aliases are not accepted")
        # Through JSON: dates, sets and keys that are no strings have no place in an object.
        return msgspec.json.decode(msgspec.json.encode(yaml.load(text, Loader=_JsonLoader)))
    except (yaml.YAMLError, RecursionError, TypeError, ValueError, AttributeError) as exc:
        raise status.bad_request(f"error converting YAML to JSON: {exc}") from exc


class _JsonLoader(yaml.CSafeLoader):
    """YAML with JSON's types only: a date stays the string it is written as."""


_JsonLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
