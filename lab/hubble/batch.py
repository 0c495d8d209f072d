"""Events as they were in the kernel's ring, decoded when somebody looks at one.

A flood overwrites the log before anybody reads it: what nobody asks for costs nothing but the copy.
An event is decoded with what was known of addresses when it came, however late that is.
"""

from __future__ import annotations

from struct import Struct

from lab.bpf import record
from lab.hubble.decode import Decoder
from lab.hubble.record import Record
from lab.hubble.ring import Later

_TIME = Struct("=Q")


class Batch(Later[Record]):
    """The records of one look at the ring; their flows are numbered from `first` on.

    `epoch` is what makes the kernel's time Unix time. All are events that the decoder can read.
    """

    def __init__(self, records: bytes, first: int, epoch: int, decoder: Decoder) -> None:
        self.records = records
        self.first = first
        self._epoch = epoch
        self._decoder: Decoder | None = decoder
        self._values: list[Record | None] = [None] * (len(records) // record.SIZE)
        self._read = 0
        """Values before this one have been read by `read_on`."""

    def __len__(self) -> int:
        return len(self._values)

    def value(self, number: int) -> Record:
        at = number - self.first
        # In this order: `read_on` takes the decoder away before the records.
        records, decoder = self.records, self._decoder
        found = self._values[at]
        if found is None and decoder is not None:
            found = self._values[at] = self._decoded(records, decoder, at)
        elif found is None:
            found = self._values[at]  # another thread has just read the whole batch
            assert found is not None
        return found

    @property
    def at(self) -> int:
        """When the last of the events was made (Unix, nanoseconds)."""
        return self._time(self.records, len(self.records) - record.SIZE)

    def read_on(self, limit: int) -> int:
        """Decode up to `limit` more, oldest first; how many are left.

        After the last one the batch holds on to nothing but its flows.
        """
        end = min(self._read + limit, len(self))
        for at in range(self._read, end):
            self.value(self.first + at)
        self._read = end
        if end == len(self):
            self._decoder = None
            self.records = b""
        return len(self) - end

    def _decoded(self, records: bytes, decoder: Decoder, at: int) -> Record:
        start = at * record.SIZE
        flow = decoder.decode(record.event_at(records, start), self._time(records, start))
        flow.number = self.first + at
        return flow

    def _time(self, records: bytes, start: int) -> int:
        kernel: int = _TIME.unpack_from(records, start + record.TIME_AT)[0]
        return self._epoch + kernel
