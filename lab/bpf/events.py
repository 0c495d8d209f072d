"""Reading the ring of events: raw bytes, in order, nothing lost unnoticed.

The ring is mapped into the process, so a read of many events is a few memory accesses and no
system call. Positions and record headers are the kernel's (kernel/bpf/ringbuf.c): one page with
the consumer's position (ours to write), one with the producers', then the data, mapped twice in a
row so that a record never wraps.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Any

from lab.bpf.libbpf import call
from lab.bpf.maps import PerCpuMap
from lab.bpf.object_info import map_info
from lab.bpf.structs import event_counts
from lab.bpf.tables import EVENT_COUNTS, EVENTS_NAME, GLOBALS, Index

BUSY = 1 << 31
DISCARDED = 1 << 30
LENGTH = DISCARDED - 1
RECORD_HEADER = 8

_POSITION = Struct("=Q")
_RECORD = Struct("=I")
_TIME = Struct("=Q")
"""The end of every event's record."""
_CAPTURED = Struct("=BBHIIH")
"""The beginning of every event up to and including len_cap."""

HEADER_LENGTH = {1: 36, 4: 48}
"""Bytes of drop_notify and trace_notify by event type; the packet follows."""


class EventRing:
    """The events of one node. `read` never blocks; poll it every few milliseconds.

    One reader per ring: a second one would take events away from the first.
    """

    def __init__(self, ring: int, counts: int) -> None:
        page = mmap.PAGESIZE
        self._size = int(map_info(ring).max_entries)
        self._mask = self._size - 1
        self._ours = mmap.mmap(ring, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._theirs = mmap.mmap(
            ring, page + 2 * self._size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page
        )
        self._counts: PerCpuMap[Index, event_counts] = PerCpuMap(EVENT_COUNTS, counts)
        self._position: int = _POSITION.unpack_from(self._ours, 0)[0]
        self.read_total = 0
        """Events read by this reader."""

    @classmethod
    def pinned(cls, root: Path = GLOBALS) -> EventRing:
        """The ring of the node that this process stands on."""
        ring = _pin(root / EVENTS_NAME)
        try:
            return cls(ring, _pin(root / EVENT_COUNTS.name))
        finally:
            os.close(ring)  # the mappings keep it alive

    def __enter__(self) -> EventRing:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()
        self._counts.close()

    def read(self, limit: int = 4096) -> list[bytes]:
        """The events that have come since the last call, at most `limit`, oldest first.

        Each is its header (trace_notify, drop_notify) and `len_cap` bytes of the packet.
        """
        return [event for _, event in self.read_timed(limit)]

    def read_timed(self, limit: int = 4096) -> list[tuple[int, bytes]]:
        """The same with the time at which each was made: CLOCK_MONOTONIC, nanoseconds."""
        data, mask, page = self._theirs, self._mask, mmap.PAGESIZE
        position = self._position
        end = _POSITION.unpack_from(data, 0)[0]
        events: list[tuple[int, bytes]] = []
        while position < end and len(events) < limit:
            at = page + (position & mask)
            length = _RECORD.unpack_from(data, at)[0]
            if length & BUSY:
                break  # still being written; it is next time's first
            if not length & DISCARDED:
                start = at + RECORD_HEADER
                (time,) = _TIME.unpack_from(data, start + (length & LENGTH) - _TIME.size)
                events.append((time, _cut(data, start)))
            position += ((length & LENGTH) + RECORD_HEADER + 7) & ~7
        if position != self._position:
            # After the copies: from here on the kernel may overwrite what was read.
            _POSITION.pack_into(self._ours, 0, position)
            self._position = position
            self.read_total += len(events)
        return events

    def counts(self) -> event_counts:
        """Events made and lost since the datapath was installed, over all processors."""
        found = self._counts.lookup(Index(0))
        return found if found is not None else event_counts()


def _cut(data: Any, at: int) -> bytes:
    head = _CAPTURED.unpack_from(data, at)
    end: int = at + HEADER_LENGTH.get(head[0], 16) + head[5]
    cut: bytes = data[at:end]
    return cut


def _pin(path: Path) -> int:
    return int(call("bpf_obj_get", os.fsencode(path), what=f"opening {path}"))
