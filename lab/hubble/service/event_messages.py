"""Agent events and debug events as messages."""

from __future__ import annotations

from google.protobuf.json_format import ParseDict

from lab.hubble import agent_events as kinds
from lab.hubble.agent_events import AgentEvent, DebugEvent
from lab.hubble.api import flow_pb2

_FIELDS = {
    kinds.POLICY_UPDATED: "policy_update",
    kinds.POLICY_DELETED: "policy_update",
    kinds.ENDPOINT_REGENERATE_SUCCESS: "endpoint_regenerate",
    kinds.ENDPOINT_REGENERATE_FAILURE: "endpoint_regenerate",
    kinds.ENDPOINT_CREATED: "endpoint_update",
    kinds.ENDPOINT_DELETED: "endpoint_update",
    kinds.IPCACHE_UPSERTED: "ipcache_update",
    kinds.IPCACHE_DELETED: "ipcache_update",
    kinds.SERVICE_UPSERTED: "service_upsert",
    kinds.SERVICE_DELETED: "service_delete",
}
"""Kind of event -> field of AgentEvent that carries its details."""


def agent_event(event: AgentEvent) -> flow_pb2.AgentEvent:
    """The event with its details in the field of its kind."""
    message = flow_pb2.AgentEvent(type=event.kind)  # type: ignore[arg-type]
    if event.kind == kinds.AGENT_STARTED:
        message.agent_start.time.FromNanoseconds(event.details.get("time", event.at))
    elif event.kind in _FIELDS:
        part = getattr(message, _FIELDS[event.kind])
        part.SetInParent()
        ParseDict(dict(event.details), part)
    else:
        message.unknown.type = str(event.kind)
        message.unknown.notification = str(dict(event.details))
    return message


def debug_event(event: DebugEvent) -> flow_pb2.DebugEvent:
    message = flow_pb2.DebugEvent(type=event.subtype)  # type: ignore[arg-type]
    message.source.ID = event.endpoint_id
    message.hash.value = event.hash
    message.arg1.value, message.arg2.value, message.arg3.value = event.arguments
    message.message = f"{_name(event.subtype)} {' '.join(f'{a:#x}' for a in event.arguments)}"
    return message


def _name(subtype: int) -> str:
    names = flow_pb2.DebugEventType.DESCRIPTOR.values_by_number
    known = names.get(subtype)
    return known.name.removeprefix("DBG_").replace("_", " ").lower() if known else str(subtype)
