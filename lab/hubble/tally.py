"""Counting a flood: events that are alike are looked at once, and counted as many.

What metrics know of an event is in a few of its bytes: the header, addresses, ports and flags.
Taking these out of all records of a batch and counting equal ones is done by the interpreter's own
C code; decoding each would cost twenty times as much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from struct import Struct

from lab.bpf import record
from lab.hubble import codes
from lab.hubble.batch import Batch
from lab.hubble.record import Record

Key = tuple[bytes, ...]

_KEY = Struct("=8x 4s 8x 36s 12x 3s 5x 4s 2x 12s 8x 2s 88x")
"""Of a record: type, subtype and source; len_cap, version and the rest of the header; of the frame
ethertype and IP version, fragment and protocol, addresses and what is in the place of ports, and
what is in the place of TCP's flags. Not the hash, the length, the time, nor what numbers packets.
"""
assert _KEY.size == record.SIZE

_KINDS = {(codes.TRACE, b"\1\0"), (codes.DROP, b"\3\0")}
"""Types, and versions in native order, whose header has the length that the key goes by."""
_PLAIN_IPV4 = b"\x08\x00\x45"
"""Ethertype, version and header length of an IPv4 packet without options."""

_MOST_KNOWN = 4096


class Alike:
    """The records of one look at the ring, equal ones together."""

    def __init__(self, records: bytes) -> None:
        self.keys: list[Key] = list(_KEY.iter_unpack(records))
        self.counts = Counter(self.keys)

    @property
    def are_flows(self) -> bool:
        """Whether all events are of the kinds and versions that a batch can hold."""
        return {(key[0][0], key[1][2:4]) for key in self.counts} <= _KINDS


class Tally:
    """Counts batches that are decoded with one and the same knowledge of addresses."""

    def __init__(self) -> None:
        self._known: dict[Key, Record] = {}

    def count(self, alike: Alike, batch: Batch) -> Iterator[tuple[Record, int]]:
        """Flows that differ in what can be counted, and how many there are of each.

        `alike` is of the batch's records. Anything but plain IPv4 is decoded one by one.
        """
        self._learn([key for key in alike.counts if key not in self._known], alike.keys, batch)
        strange = False
        for key, times in alike.counts.items():
            if _is_plain(key):
                yield self._known[key], times
            else:
                strange = True
        if strange:
            for at, key in enumerate(alike.keys):
                if not _is_plain(key):
                    yield batch.value(batch.first + at), 1

    def _learn(self, new: Sequence[Key], keys: Sequence[Key], batch: Batch) -> None:
        if not new:
            return
        places = dict(zip(keys, range(len(keys)), strict=True))
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
            new = list(places)
        for key in new:
            self._known[key] = batch.value(batch.first + places[key])


def _is_plain(key: Key) -> bool:
    return key[2] == _PLAIN_IPV4
