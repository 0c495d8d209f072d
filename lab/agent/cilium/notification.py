"""Events of the programs as `cilium monitor` writes them: a line, whole headers, or JSON.

The words are those of Cilium's pkg/monitor (DumpInfo, DumpVerbose, DumpJSON). Pure.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lab.agent.cilium.text import host_port
from lab.bpf.codes import EventType, ObsPoint, TraceReason, reason_text
from lab.bpf.structs import drop_notify, trace_notify
from lab.hubble import codes
from lab.hubble.icmp import type_code_v4, type_code_v6
from lab.hubble.identity import RESERVED
from lab.hubble.packet import Headers, ethernet, parse

InterfaceName = Callable[[int], str]
Notice = trace_notify | drop_notify

TRACE_IPV6 = 1
"""`trace_notify.flags`: the packet, and its original address, is IPv6."""

TYPES = {"drop": EventType.DROP, "trace": EventType.TRACE}
"""The kinds of events that these programs make."""

_ENCRYPTED = 0x80
_LINE = 16
_RULE = "-" * 78


@dataclass(frozen=True)
class _Event:
    head: Notice
    frame: bytes

    @property
    def headers(self) -> Headers:
        return parse(self.frame)


@dataclass(frozen=True)
class Selection:
    """Which events are asked for; an empty set asks for all."""

    types: frozenset[str] = frozenset()
    sources: frozenset[int] = frozenset()
    destinations: frozenset[int] = frozenset()
    related: frozenset[int] = frozenset()
    """Endpoints that may be at either end."""

    def admits(self, event: bytes) -> bool:
        """Whether to show an event. Malformed ones are always shown."""
        try:
            found = _decode(event)
        except ValueError:
            return True
        if found is None:
            return False
        ends = {found.head.source, found.head.dst_id & 0xFFFF}
        return (
            (not self.types or any(TYPES[name] == event[0] for name in self.types))
            and (not self.sources or found.head.source in self.sources)
            and (not self.destinations or found.head.dst_id & 0xFFFF in self.destinations)
            and (not self.related or bool(ends & self.related))
        )


def brief(event: bytes, interface: InterfaceName) -> list[str]:
    """An event as one line; none for a kind that is not shown."""
    return _told(event, lambda found: [_line(found, interface)])


def whole(event: bytes, interface: InterfaceName, *, in_hex: bool) -> list[str]:
    """All that an event's header says, and the packet: what it is, or its bytes."""

    def tell(found: _Event) -> list[str]:
        packet = _dump(found.frame) if in_hex else [_connection(found.headers)]
        return [_RULE, _headline(found, interface), *packet]

    return _told(event, tell)


def as_json(event: bytes, interface: InterfaceName) -> list[str]:
    """An event as one JSON object."""
    try:
        found = _decode(event)
    except ValueError:
        return [json.dumps({"malformed": len(event)})]
    return [] if found is None else [json.dumps(_values(found, interface))]


def _told(event: bytes, tell: Callable[[_Event], list[str]]) -> list[str]:
    try:
        found = _decode(event)
    except ValueError:
        return [f"?? malformed event of {len(event)} bytes"]
    return [] if found is None else tell(found)


def _decode(event: bytes) -> _Event | None:
    """None for a kind that these programs do not make, ValueError for less than a header."""
    if not event:
        raise ValueError("no event")
    layouts: dict[int, type[Notice]] = {1: drop_notify, 4: trace_notify}
    layout = layouts.get(event[0])
    if layout is None:
        return None
    head = layout.parse(event)
    return _Event(head, event[len(bytes(head)) :])


def _line(found: _Event, interface: InterfaceName) -> str:
    head, packet = found.head, _connection(found.headers)
    if isinstance(head, drop_notify):
        return (
            f"xx drop ({reason_text(head.subtype)}) flow {head.hash:#x} "
            f"to endpoint {head.dst_id}, {_identities(head)}: {packet}"
        )
    return (
        f"{_summary(head)} flow {head.hash:#x} {_identities(head)} state {_state(head)} "
        f"ifindex {interface(head.ifindex) or '0'} orig-ip {_origin(head)}: {packet}"
    )


def _headline(found: _Event, interface: InterfaceName) -> str:
    head = found.head
    begin = f"MARK {head.hash:#x} FROM {head.source}"
    if isinstance(head, drop_notify):
        text = f"{begin} DROP: {head.len_orig} bytes, reason {reason_text(head.subtype)}"
        parts = [text]
    else:
        point = codes.observation_point(head.subtype)
        captured = f"{head.len_orig} bytes ({head.len_cap} captured)"
        parts = [f"{begin} {point}: {captured}, state {_state(head)}"]
        parts += [f"interface {interface(head.ifindex)}"] if head.ifindex else []
    parts += [_identities(head)] if head.src_label or head.dst_label else []
    parts += [f"orig-ip {_origin(head)}"] if isinstance(head, trace_notify) else []
    parts += [f"to endpoint {head.dst_id}"] if head.dst_id else []
    return ", ".join(parts)


def _values(found: _Event, interface: InterfaceName) -> dict[str, Any]:
    head = found.head
    shared = {
        "source": head.source,
        "bytes": head.len_orig,
        "srcLabel": head.src_label,
        "dstLabel": head.dst_label,
        "dstID": head.dst_id,
    }
    mark = f"{head.hash:#x}"
    ends = {"summary": dict(_ends(found))}
    if isinstance(head, drop_notify):
        reason = reason_text(head.subtype)
        told = {"type": "drop", "mark": mark, "reason": reason, **shared}
        return {**told, "ifindex": interface(head.ifindex), **ends}
    told = {"type": "trace", "mark": mark, "ifindex": interface(head.ifindex)}
    point = codes.observation_point(head.subtype)
    seen = {"state": _state(head), "observationPoint": point, "traceSummary": _summary(head)}
    return {**told, **seen, **shared, **ends}


def _ends(found: _Event) -> Iterator[tuple[str, dict[str, str]]]:
    """Source and destination of the packet, layer by layer."""
    macs, headers = ethernet(found.frame), found.headers
    if macs:
        yield "l2", {"src": macs[0], "dst": macs[1]}
    if headers.ip_version:
        yield "l3", {"src": _host(headers.source), "dst": _host(headers.destination)}
    if headers.source_port or headers.destination_port:
        yield "l4", {"src": str(headers.source_port), "dst": str(headers.destination_port)}


def _summary(head: trace_notify) -> str:
    point = codes.observation_point(head.subtype)
    way, _, where = point.partition("-")
    arrow = "->" if way == "to" else "<-"
    if head.subtype == ObsPoint.TO_ENDPOINT:
        return f"{arrow} {where} {head.dst_id}"
    if head.subtype == ObsPoint.FROM_ENDPOINT:
        return f"{arrow} {where} {head.source}"
    return "-> host from" if head.subtype == ObsPoint.TO_HOST else f"{arrow} {where}"


def _state(head: trace_notify) -> str:
    known = {reason.value: reason.name.lower() for reason in TraceReason}
    return known.get(head.reason & ~_ENCRYPTED, str(head.reason))


def _origin(head: trace_notify) -> str:
    return _host(bytes(head.orig_ip)[: 16 if head.flags & TRACE_IPV6 else 4])


def _identities(head: Notice) -> str:
    source, destination = (
        RESERVED.get(each, str(each)) for each in (head.src_label, head.dst_label)
    )
    return f"identity {source}->{destination}"


def _connection(headers: Headers) -> str:
    """What the packet is, in one line."""
    if not headers.ip_version:
        return "no IP packet"
    source, destination = _host(headers.source), _host(headers.destination)
    if headers.protocol == codes.ICMP:
        return f"{source} -> {destination} {type_code_v4(headers.detail)}"
    if headers.protocol == codes.ICMPV6:
        return f"{source} -> {destination} {type_code_v6(headers.detail)}"
    name = {codes.TCP: "tcp", codes.UDP: "udp", codes.SCTP: "sctp"}.get(headers.protocol)
    if name is None:
        return f"{source} -> {destination}"
    source = host_port(source, headers.source_port)
    destination = host_port(destination, headers.destination_port)
    flags = ", ".join(flag for flag, bit in codes.TCP_FLAGS if headers.detail & bit)
    return f"{source} -> {destination} {name} {flags}".rstrip()


def _host(address: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def _dump(data: bytes) -> list[str]:
    """Sixteen bytes a line, in hexadecimal and as text, and an empty line."""
    return [*(_dumped(data, at) for at in range(0, len(data), _LINE)), ""]


def _dumped(data: bytes, at: int) -> str:
    part = data[at : at + _LINE]
    halves = (part[:8].hex(" "), part[8:].hex(" "))
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
    return f"{at:08x}  {halves[0]:<23}  {halves[1]:<23}  |{shown}|"
