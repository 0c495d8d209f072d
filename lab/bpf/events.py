"""Reading the ring of events: raw bytes, in order, nothing lost unnoticed.

The ring is mapped into the process, so a read of many events is a few memory accesses and no
system call. Positions and record headers are the kernel's (kernel/bpf/ringbuf.c): one page with
the consumer's position (ours to write), one with the producers', then the data, mapped twice in a
row so that a record never wraps. Records have one size (lab.bpf.record): a read looks at their
headers as at one column of a table, and copies them all at once.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from struct import Struct
from types import TracebackType

from lab.bpf import record
from lab.bpf.libbpf import call
from lab.bpf.maps import PerCpuMap
from lab.bpf.object_info import map_info
from lab.bpf.structs import event_counts
from lab.bpf.tables import EVENT_COUNTS, EVENTS_NAME, GLOBALS, Index
from lab.errors import LabError

BUSY = 1 << 31
"""In a record's length: it is still being written."""

_POSITION = Struct("=Q")
_WORD = 4
"""Bytes of a record's length."""


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
        self._words = memoryview(self._theirs).cast("I")
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
        self._words.release()
        self._theirs.close()
        self._counts.close()

    def read(self, limit: int = 4096) -> bytes:
        """The records that have come since the last call, at most `limit`, oldest first.

        They stand one behind the other, record.SIZE bytes each; see lab.bpf.record.
        """
        waiting = (_POSITION.unpack_from(self._theirs, 0)[0] - self._position) // record.SIZE
        start = mmap.PAGESIZE + (self._position & self._mask)
        ready = self._written(start, min(waiting, limit))
        if not ready:
            return b""
        records = self._theirs[start : start + ready * record.SIZE]
        self._position += len(records)
        # After the copy: from here on the kernel may overwrite what was read.
        _POSITION.pack_into(self._ours, 0, self._position)
        self.read_total += ready
        return records

    def _written(self, start: int, count: int) -> int:
        """How many of the `count` records at `start` are there before one that is not yet."""
        end = start + count * record.SIZE
        lengths = self._words[start // _WORD : end // _WORD : record.SIZE // _WORD].tolist()
        if lengths.count(record.LENGTH) == count:
            return count
        ready = next(at for at, length in enumerate(lengths) if length != record.LENGTH)
        if not ready and not lengths[0] & BUSY:
            raise LabError(
                f"a record of {lengths[0]} bytes is in the ring of events, not of {record.LENGTH}: "
                "programs of another version of the lab wrote it; bring the lab up anew"
            )
        return ready

    def counts(self) -> event_counts:
        """Events made and lost since the datapath was installed, over all processors."""
        found = self._counts.lookup(Index(0))
        return found if found is not None else event_counts()


def _pin(path: Path) -> int:
    return int(call("bpf_obj_get", os.fsencode(path), what=f"opening {path}"))
