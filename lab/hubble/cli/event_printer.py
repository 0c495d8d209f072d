"""Prints agent events and debug events."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

from lab.hubble.api import flow_pb2
from lab.hubble.cli import json_lines, texts, times
from lab.hubble.cli.terminal import Table, safe


@dataclass(frozen=True)
class Description:
    """An event in words: the line after its time, and the same as fields."""

    line: str
    fields: tuple[tuple[str, str], ...]


class EventPrinter:
    """Writes responses of one kind in the chosen output."""

    def __init__(
        self,
        options: argparse.Namespace,
        describe: Callable[[Any, str], Description],
        out: TextIO,
    ) -> None:
        self._options = options
        self._describe = describe
        self._out = out
        self._table: Table | None = None
        self._printed = False

    def write(self, response: Any) -> None:
        output = self._options.output
        if output in ("json", "jsonpb"):
            self._out.write(f"{json_lines.text(response)}\n")
        else:
            at = times.write(response.time.ToNanoseconds(), self._options.time_format)
            self._write_text(at, safe(response.node_name), self._describe(response, output))
        self._out.flush()

    def close(self) -> None:
        if self._table is not None:
            self._out.writelines(f"{line}\n" for line in self._table.lines())
        self._out.flush()

    def _write_text(self, at: str, node: str, event: Description) -> None:
        named = self._options.print_node_name
        if self._options.output == "compact":
            self._out.write(f"{at}{f' [{node}]' if named else ''}: {safe(event.line)}\n")
            return
        fields = [("TIMESTAMP", at), *([("NODE", node)] if named else []), *event.fields]
        if self._options.output == "table":
            if self._table is None:
                self._table = Table([key for key, _ in fields])
            self._table.add([safe(value) for _, value in fields])
            return
        if self._printed:
            self._out.write("------------\n")
        self._printed = True
        self._out.writelines(f"{key:>11}: {safe(value)}\n" for key, value in fields)


def agent_event(response: Any, _output: str) -> Description:
    """What the agent did: its kind and the details of its notification."""
    event: flow_pb2.AgentEvent = response.agent_event
    kind = texts.enum_name(flow_pb2.AgentEventType, event.type)
    details = agent_event_details(event)
    return Description(f"{kind} ({details})", (("TYPE", kind), ("DETAILS", details)))


def agent_event_details(event: flow_pb2.AgentEvent) -> str:
    """The notification as "key: value" pairs."""
    kind = event.WhichOneof("notification")
    if kind == "agent_start":
        started = times.write(event.agent_start.time.ToNanoseconds(), "StampMilli")
        return f"start time: {started}"
    if kind == "service_upsert":
        return _service(event.service_upsert)
    if kind == "service_delete":
        return f"id: {event.service_delete.id}"
    if kind == "ipcache_update":
        return _ipcache(event.ipcache_update)
    if kind == "endpoint_update":
        update = event.endpoint_update
        return _pairs(
            ("id", update.id), ("namespace", update.namespace), ("pod name", update.pod_name)
        )
    if kind == "endpoint_regenerate":
        regenerated = event.endpoint_regenerate
        labels = f"[{','.join(regenerated.labels)}]"
        return _pairs(("id", regenerated.id), ("labels", labels), ("error", regenerated.error))
    if kind == "policy_update":
        policy = event.policy_update
        labels = f"[{','.join(policy.labels)}]"
        return f"labels: {labels}, revision: {policy.revision}, count: {policy.rule_count}"
    if kind == "unknown":
        return f"type: {event.unknown.type}, notification: {event.unknown.notification}"
    return "UNKNOWN"


def debug_event(response: Any, output: str) -> Description:
    """A program's message, the endpoint it came from, the flow's hash and the processor."""
    event: flow_pb2.DebugEvent = response.debug_event
    kind = texts.enum_name(flow_pb2.DebugEventType, event.type)
    source = _endpoint(event.source) if event.HasField("source") else "N/A"
    mark = f"{event.hash.value:#x}" if event.HasField("hash") else "N/A"
    cpu = f"{event.cpu.value:02}" if event.HasField("cpu") else "N/A"
    line = f"{source} {kind} MARK: {mark} CPU: {cpu} ({event.message})"
    if output == "table":
        fields = (
            ("FROM", source),
            ("TYPE", kind),
            ("CPU/MARK", f"{cpu} {mark}"),
            ("MESSAGE", event.message),
        )
        return Description(line, fields)
    return Description(
        line,
        (
            ("TYPE", kind),
            ("FROM", source),
            ("MARK", mark),
            ("CPU", cpu),
            ("MESSAGE", event.message),
        ),
    )


def _pairs(*pairs: tuple[str, object]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in pairs if value != "")


def _service(service: flow_pb2.ServiceUpsertNotification) -> str:
    backends = ",".join(_address(each) for each in service.backend_addresses)
    frontend = service.HasField("frontend_address")
    return _pairs(
        ("id", service.id),
        ("frontend", _address(service.frontend_address) if frontend else ""),
        ("backends", f"[{backends}]" if backends else ""),
        ("type", service.type),
        ("ext traffic policy", service.ext_traffic_policy),
        ("int traffic policy", service.int_traffic_policy),
        ("namespace", service.namespace),
        ("name", service.name),
    )


def _ipcache(update: flow_pb2.IPCacheNotification) -> str:
    old = str(update.old_identity.value) if update.HasField("old_identity") else ""
    return _pairs(
        ("cidr", update.cidr),
        ("identity", update.identity),
        ("old identity", old),
        ("host ip", update.host_ip),
        ("old host ip", update.old_host_ip),
        ("encrypt key", update.encrypt_key),
    )


def _address(address: flow_pb2.ServiceUpsertNotificationAddr) -> str:
    return texts.with_port(address.ip, str(address.port))


def _endpoint(endpoint: flow_pb2.Endpoint) -> str:
    text = f"ID: {endpoint.ID}"
    if endpoint.namespace and endpoint.pod_name:
        return f"{endpoint.namespace}/{endpoint.pod_name} ({text})"
    if len(endpoint.labels) == 1 and endpoint.labels[0].startswith("reserved:"):
        return f"{endpoint.labels[0]} ({text})"
    return text
