"""What the programs tell: counters, and the events of the ring."""

# The names are the C structs' own (N801); ctypes wants its fields in a list (RUF012).
# ruff: noqa: N801, RUF012

from __future__ import annotations

from ctypes import c_int8, c_uint8, c_uint16, c_uint32, c_uint64
from typing import Any

from lab.bpf.layout import Layout, addr6


class metrics_key(Layout):
    """A reason (Reason, 0 = forwarded) and a Direction (low two bits of dir)."""

    _fields_ = [("reason", c_uint8), ("dir", c_uint8), ("reserved", c_uint16 * 3)]


class metrics_value(Layout):
    """Packets and bytes, one value per processor."""

    _fields_ = [("count", c_uint64), ("bytes", c_uint64)]


class event_counts(Layout):
    """Events made and events that found the ring full, per processor: made = read + lost."""

    _fields_ = [("made", c_uint64), ("lost", c_uint64)]


_capture_header: list[tuple[str, Any]] = [
    ("type", c_uint8),
    ("subtype", c_uint8),
    ("source", c_uint16),
    ("hash", c_uint32),
    ("len_orig", c_uint32),
    ("len_cap", c_uint16),
    ("version", c_uint16),
]


class trace_notify(Layout):
    """Trace event (EventType.TRACE, version 1); `len_cap` bytes of the packet follow it.

    `subtype` is an ObsPoint, `source` the endpoint id of the program's owner, `reason` a
    TraceReason. The packet begins with its Ethernet header.
    """

    _fields_ = [
        *_capture_header,
        ("src_label", c_uint32),
        ("dst_label", c_uint32),
        ("dst_id", c_uint16),
        ("reason", c_uint8),
        ("flags", c_uint8),
        ("ifindex", c_uint32),
        ("orig_ip", addr6),
    ]


class drop_notify(Layout):
    """Drop event (EventType.DROP, version 3); `subtype` is a Reason. The packet follows."""

    _fields_ = [
        *_capture_header,
        ("src_label", c_uint32),
        ("dst_label", c_uint32),
        ("dst_id", c_uint32),
        ("line", c_uint16),
        ("file", c_uint8),
        ("ext_error", c_int8),
        ("ifindex", c_uint32),
        ("flags", c_uint8),
        ("pad", c_uint8 * 3),
        ("ip_trace_id", c_uint64),
    ]
