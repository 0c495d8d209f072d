"""One record of the ring of events: every one has the same size, so that many are an array.

The kernel's header of a record, the event's header (trace_notify or drop_notify), room for as much
of the packet as is captured, and the time at which the event was made. Pure.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from struct import Struct

from lab.bpf.structs import trace_notify

RING_HEADER = 8
"""Bytes of the kernel's header (struct bpf_ringbuf_hdr): the length, and where the page is."""
EVENT_HEADER = ctypes.sizeof(trace_notify)
"""A drop event's is as long: struct drop_notify, version 3."""
CAPTURE_LENGTH = 128
"""Most bytes of a packet that an event carries."""
LENGTH = EVENT_HEADER + CAPTURE_LENGTH + 8
"""Bytes that a program reserves for an event (struct trace_event, struct drop_event)."""
SIZE = RING_HEADER + LENGTH
"""Bytes from one record to the next."""
TIME_AT = SIZE - 8
"""Where a record's CLOCK_MONOTONIC nanoseconds stand."""

_CAPTURED = Struct(f"={RING_HEADER + trace_notify.len_cap.offset}xH")
"""len_cap of the event's header."""
_TIME = Struct(f"={TIME_AT}xQ")


def event_at(records: bytes, start: int) -> bytes:
    """The event of the record that begins at `start`: its header and the captured packet."""
    (captured,) = _CAPTURED.unpack_from(records, start)
    begin = start + RING_HEADER
    return records[begin : begin + EVENT_HEADER + min(captured, CAPTURE_LENGTH)]


def events(records: bytes) -> Iterator[bytes]:
    """All of them in their order."""
    return (event_at(records, start) for start in range(0, len(records), SIZE))


def timed_events(records: bytes) -> Iterator[tuple[int, bytes]]:
    """All of them, each with the time when it was made: CLOCK_MONOTONIC, nanoseconds."""
    times = (time for (time,) in _TIME.iter_unpack(records))
    return zip(times, events(records), strict=True)
