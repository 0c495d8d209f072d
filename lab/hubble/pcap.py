"""Packet capture files in the classic pcap format, with nanosecond times."""

from __future__ import annotations

from struct import Struct
from typing import BinaryIO

_FILE = Struct("=IHHiIII")
"""Magic, version 2.4, time zone, accuracy, most bytes a packet, link type (native order)."""
_PACKET = Struct("=IIII")
"""Seconds, nanoseconds, captured length, length on the wire."""

MAGIC_NANOSECONDS = 0xA1B23C4D
LINKTYPE_ETHERNET = 1


class PcapWriter:
    """Writes Ethernet frames to an open binary file."""

    def __init__(self, file: BinaryIO, *, snap_length: int) -> None:
        self._file = file
        file.write(_FILE.pack(MAGIC_NANOSECONDS, 2, 4, 0, 0, snap_length, LINKTYPE_ETHERNET))

    def write(self, at: int, frame: bytes, length: int) -> None:
        """Append a frame seen at `at` (Unix, nanoseconds) that had `length` bytes on the wire."""
        seconds, nanoseconds = divmod(at, 10**9)
        self._file.write(_PACKET.pack(seconds, nanoseconds, len(frame), max(length, len(frame))))
        self._file.write(frame)
