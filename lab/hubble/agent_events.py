"""What is not a flow but worth telling: the agent's own doings and the datapath's debug messages.

Agent events keep their payload as a mapping with the field names of the message that carries
them (flow.AgentEvent), so that this module needs no protobuf.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from lab.hubble.decode import MalformedEvent
from lab.hubble.lookup import Endpoint, Service

# flow.AgentEventType
AGENT_STARTED = 2
POLICY_UPDATED, POLICY_DELETED = 3, 4
ENDPOINT_REGENERATE_SUCCESS, ENDPOINT_REGENERATE_FAILURE = 5, 6
ENDPOINT_CREATED, ENDPOINT_DELETED = 7, 8
IPCACHE_UPSERTED, IPCACHE_DELETED = 9, 10
SERVICE_UPSERTED, SERVICE_DELETED = 11, 12

_DEBUG = struct.Struct("=BBHIIII")
"""type, subtype, source endpoint, flow hash, three arguments (struct debug_msg)."""


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """Something the agent did. `details` are the fields of the kind's notification."""

    kind: int
    details: Mapping[str, Any] = field(default_factory=dict)
    at: int = field(default_factory=time.time_ns)


@dataclass(frozen=True, slots=True)
class DebugEvent:
    """A debug message of a BPF program."""

    at: int
    subtype: int
    endpoint_id: int
    hash: int
    arguments: tuple[int, int, int]


def agent_started(at: int | None = None) -> AgentEvent:
    at = time.time_ns() if at is None else at
    return AgentEvent(AGENT_STARTED, {"time": at}, at)


def endpoint_created(id: int, namespace: str, pod: str, labels: tuple[str, ...] = ()) -> AgentEvent:
    details = {"id": id, "namespace": namespace, "pod_name": pod, "labels": labels}
    return AgentEvent(ENDPOINT_CREATED, details)


def endpoint_deleted(id: int, namespace: str, pod: str, labels: tuple[str, ...] = ()) -> AgentEvent:
    details = {"id": id, "namespace": namespace, "pod_name": pod, "labels": labels}
    return AgentEvent(ENDPOINT_DELETED, details)


def ipcache_upserted(
    cidr: str, identity: int, *, host_ip: str = "", namespace: str = "", pod: str = ""
) -> AgentEvent:
    details = {
        "cidr": cidr,
        "identity": identity,
        "host_ip": host_ip,
        "namespace": namespace,
        "pod_name": pod,
    }
    return AgentEvent(IPCACHE_UPSERTED, details)


def ipcache_deleted(cidr: str, identity: int) -> AgentEvent:
    return AgentEvent(IPCACHE_DELETED, {"cidr": cidr, "identity": identity})


def service_upserted(frontend: tuple[str, int], *, namespace: str, name: str) -> AgentEvent:
    details = {
        "frontend_address": {"ip": frontend[0], "port": frontend[1]},
        "namespace": namespace,
        "name": name,
    }
    return AgentEvent(SERVICE_UPSERTED, details)


def endpoint_changes(
    before: Mapping[bytes, Endpoint], after: Mapping[bytes, Endpoint]
) -> Iterator[AgentEvent]:
    """What the agent did when its endpoints, by packed address, went from `before` to `after`."""
    for address in sorted(before.keys() - after.keys()):
        gone = before[address]
        if gone.id:
            yield endpoint_deleted(gone.id, gone.namespace, gone.pod, gone.labels)
        yield ipcache_deleted(_cidr(address), gone.identity)
    for address in sorted(after):
        old, new = before.get(address), after[address]
        if new == old:
            continue
        if new.id and (old is None or old.id != new.id):
            yield endpoint_created(new.id, new.namespace, new.pod, new.labels)
        if old is None or old.identity != new.identity:
            yield ipcache_upserted(
                _cidr(address), new.identity, namespace=new.namespace, pod=new.pod
            )


def service_changes(
    before: Mapping[tuple[bytes, int], Service], after: Mapping[tuple[bytes, int], Service]
) -> Iterator[AgentEvent]:
    """The same for services by frontend: packed address and port."""
    for frontend in sorted(after):
        service = after[frontend]
        if before.get(frontend) != service:
            address = str(ip_address(frontend[0]))
            yield service_upserted(
                (address, frontend[1]), namespace=service.namespace, name=service.name
            )


def _cidr(address: bytes) -> str:
    return f"{ip_address(address)}/{len(address) * 8}"


def decode_debug(event: bytes, at: int) -> DebugEvent:
    """A debug message's bytes; MalformedEvent when they end too early."""
    try:
        _, subtype, endpoint, hash, first, second, third = _DEBUG.unpack_from(event)
    except struct.error as exc:
        raise MalformedEvent(f"debug event of {len(event)} bytes ends too early") from exc
    return DebugEvent(at, subtype, endpoint, hash, (first, second, third))
