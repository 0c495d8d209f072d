"""`monitor`: every event of the node as it happens, one line each."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.agent.cilium.text import protocol
from lab.bpf.codes import EventType, ObsPoint, TraceReason, reason_text
from lab.bpf.structs import drop_notify, trace_notify
from lab.errors import LabError
from lab.hubble.identity import RESERVED
from lab.hubble.packet import Headers, parse

SOCKET = Path("/run/cilium/monitor.sock")
"""Where lab.agent.flows.event_tap listens; named here as well to spare its imports."""
_LENGTH = struct.Struct("!I")

_TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "NS")
_FLAG_ORDER = ("SYN", "ACK", "RST", "FIN", "PSH", "URG", "ECE", "CWR", "NS")

TRACE_IPV6 = 1
"""`trace_notify.flags`: the packet, and its original address, is IPv6."""

InterfaceName = Callable[[int], str]


def events(path: Path = SOCKET) -> Iterator[bytes]:
    """The events of the node from now on; ends when the agent does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            line.connect(str(path))
        except OSError as error:
            raise LabError(f"no agent passes on events at {path}: {error.strerror}") from error
        stream = line.makefile("rb")
        while len(head := stream.read(_LENGTH.size)) == _LENGTH.size:
            yield stream.read(_LENGTH.unpack(head)[0])


def text(event: bytes, interface: InterfaceName) -> str | None:
    """An event as a line; None for a kind that is not shown."""
    try:
        if event[0] == EventType.TRACE:
            return _trace(event, interface)
        if event[0] == EventType.DROP:
            return _drop(event)
    except (ValueError, IndexError):
        return f"?? malformed event of {len(event)} bytes"
    return None


def _trace(event: bytes, interface: InterfaceName) -> str:
    trace = trace_notify.parse(event)
    point = ObsPoint(trace.subtype)
    arrow, _, where = point.name.lower().partition("_")
    target = f"{where} {trace.dst_id}" if point is ObsPoint.TO_ENDPOINT else where
    reason = TraceReason(trace.reason & 0x7F).name.lower()
    origin = _host(bytes(trace.orig_ip)[: 16 if trace.flags & TRACE_IPV6 else 4], 0)
    name = interface(trace.ifindex) or "0"
    return (
        f"{'->' if arrow == 'to' else '<-'} {target} flow {trace.hash:#x} "
        f"identity {_identity(trace.src_label)}->{_identity(trace.dst_label)} state {reason} "
        f"ifindex {name} orig-ip {origin}: {_packet(event, trace_notify)}"
    )


def _drop(event: bytes) -> str:
    drop = drop_notify.parse(event)
    return (
        f"xx drop ({reason_text(drop.subtype)}) flow {drop.hash:#x} to endpoint {drop.dst_id}, "
        f"identity {_identity(drop.src_label)}->{_identity(drop.dst_label)}: "
        f"{_packet(event, drop_notify)}"
    )


def _identity(number: int) -> str:
    return RESERVED.get(number, str(number))


def _packet(event: bytes, layout: type[trace_notify] | type[drop_notify]) -> str:
    headers = parse(event, struct.calcsize(f"{_size(layout)}x"))
    if not headers.ip_version:
        return "no IP packet"
    source = _host(headers.source, headers.source_port)
    destination = _host(headers.destination, headers.destination_port)
    return f"{source} -> {destination} {_transport(headers)}".rstrip()


def _size(layout: type[trace_notify] | type[drop_notify]) -> int:
    return len(bytes(layout()))


def _host(address: bytes, port: int) -> str:
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    name = socket.inet_ntop(family, address)
    if not port:
        return name
    return f"[{name}]:{port}" if family == socket.AF_INET6 else f"{name}:{port}"


def _transport(headers: Headers) -> str:
    name = protocol(headers.protocol).lower()
    if headers.protocol != socket.IPPROTO_TCP:
        return name
    present = {flag for bit, flag in enumerate(_TCP_FLAGS) if headers.detail >> bit & 1}
    return f"{name} {', '.join(flag for flag in _FLAG_ORDER if flag in present)}"
