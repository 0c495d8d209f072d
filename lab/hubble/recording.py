"""A recording: the captured bytes of matching events, written to a pcap file as they come."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from struct import Struct

from lab.hubble.pcap import PcapWriter
from lab.hubble.record import Record

SNAP_LENGTH = 128
"""Bytes of a packet that the datapath captures."""

_LENGTHS = Struct("=8xIH")
"""In an event's common header: length on the wire, length captured."""


@dataclass(frozen=True)
class PacketFilter:
    """Two networks, two ports and a protocol; port 0 and protocol 0 match any."""

    source: IPv4Network | IPv6Network
    destination: IPv4Network | IPv6Network
    source_port: int = 0
    destination_port: int = 0
    protocol: int = 0

    def matches(self, record: Record) -> bool:
        return (
            self.protocol in (0, record.protocol)
            and self.source_port in (0, record.source_port)
            and self.destination_port in (0, record.destination_port)
            and _inside(record.source_address, self.source)
            and _inside(record.destination_address, self.destination)
        )


@dataclass
class Recording:
    """Counts and writes; `take` is called by the feeding thread, `stop` by any."""

    path: Path
    filters: Sequence[PacketFilter]
    max_length: int = SNAP_LENGTH
    max_packets: int = 0
    max_bytes: int = 0
    packets: int = 0
    bytes: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._file = self.path.open("xb")
        self._writer = PcapWriter(self._file, snap_length=self.max_length)
        self._lock = threading.Lock()

    def take(self, record: Record) -> None:
        """Record the packet of one event when a filter matches."""
        if self.done.is_set() or not any(each.matches(record) for each in self.filters):
            return
        wire, captured = _LENGTHS.unpack_from(record.event)
        kept = min(captured, self.max_length)
        frame = record.event[record.frame_at : record.frame_at + kept]
        with self._lock:
            if self.done.is_set():
                return
            self._writer.write(record.at, frame, wire)
            self.packets += 1
            self.bytes += len(frame)
            if (self.max_packets and self.packets >= self.max_packets) or (
                self.max_bytes and self.bytes >= self.max_bytes
            ):
                self.done.set()

    def stop(self) -> None:
        """Close the file; further packets are ignored."""
        self.done.set()
        with self._lock:
            self._file.close()


def _inside(address: bytes, network: IPv4Network | IPv6Network) -> bool:
    """Whether a packed address of the same family lies in the network."""
    if len(address) * 8 != network.max_prefixlen:
        return False
    shift = network.max_prefixlen - network.prefixlen
    return int.from_bytes(address, "big") >> shift == int(network.network_address) >> shift
