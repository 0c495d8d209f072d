"""Messages as JSON, one a line: proto3's JSON mapping with the field names of the .proto files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from google.protobuf import json_format
from google.protobuf.message import Message

from lab.errors import InputError
from lab.hubble.api import observer_pb2


def text(message: Message) -> str:
    """One message on one line."""
    value = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def values(text: str) -> Iterator[dict[str, object]]:
    """The JSON objects that stand one after the other in `text`; ValueError for anything else."""
    decoder = json.JSONDecoder()
    at = 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        if not isinstance(value, dict):
            raise ValueError(f"want an object, not {value!r}")
        yield value


def read_flows(lines: Iterable[str], name: str) -> Iterator[observer_pb2.GetFlowsResponse]:
    """Responses from lines that `hubble observe -o json` wrote, of either generation.

    Empty lines are skipped; InputError tells the line of `name` that is no flow.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            if not isinstance(value, dict):
                raise InputError(f"{name}:{number}: want a JSON object for a flow")
            yield _response(value)
        except (ValueError, json_format.ParseError) as exc:
            raise InputError(f"{name}:{number}: not a flow in JSON: {exc}") from exc


def _response(value: dict[str, object]) -> observer_pb2.GetFlowsResponse:
    response = observer_pb2.GetFlowsResponse()
    if not value.keys() & {"flow", "node_status", "lost_events", "nodeStatus", "lostEvents"}:
        # The 0.8 generation wrote the bare flow.
        value = {"flow": value, "node_name": value.get("node_name", ""), "time": value.get("time")}
    return json_format.ParseDict(value, response, ignore_unknown_fields=True)
