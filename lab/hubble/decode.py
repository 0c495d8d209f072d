"""Event bytes to Records.

Layouts are Cilium's (struct trace_notify, drop_notify, policy_verdict_notify and
debug_capture_msg in bpf/lib): native byte order, a common header of 16 bytes that ends in a
version, a fixed part by type and version, and the first bytes of the packet.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from struct import Struct

from lab.errors import LabError
from lab.hubble import codes
from lab.hubble.identity import reserved_labels
from lab.hubble.lookup import Addresses, Endpoint
from lab.hubble.packet import parse
from lab.hubble.record import Record

_COMMON = Struct("=BBHIIHH")
"""type, subtype, source endpoint, flow hash, packet length, captured length, version."""
_CAPTURED = Struct("=H")
_TRACE = Struct("=BBHIIHHIIHBBI")
"""Common header, source and destination identity, destination endpoint, reason, flags, ifindex."""
_DROP = Struct("=16xIIIII")
"""Source and destination identity, destination endpoint, line and file, ifindex."""
_POLICY = Struct("=16xIiHBB")
"""Remote identity, verdict, destination port (network order), protocol, flags."""

TRACE_LENGTH = {0: 32, 1: 48, 2: 56}
DROP_LENGTH = {0: 36, 1: 36, 2: 40, 3: 48}
POLICY_LENGTH = {0: 32, 1: 32, 2: 40}
CAPTURE_LENGTH = 24

_NOWHERE = bytes(16)


class MalformedEvent(LabError):
    """Bytes that are no event, or end too early."""


class Decoder:
    """Makes Records; `profile` says which datapath generation writes the events."""

    def __init__(self, known: Addresses, profile: str) -> None:
        self._endpoint = known.endpoint
        self._service = known.service
        self._labels = known.labels
        self._state_by_point = profile == "cilium-1.10"
        self._strangers: dict[int, Endpoint] = {}

    def decode(self, event: bytes, at: int) -> Record:
        """Decode a trace, drop, policy verdict or capture event; MalformedEvent otherwise."""
        record = Record()
        record.at = at
        record.is_reply = None
        record.interface = 0
        record.reason = 0
        record.translated_source = b""
        try:
            kind = event[0]
            if kind == codes.TRACE:
                identities = self._trace(record, event)
            elif kind == codes.DROP:
                identities = self._drop(record, event)
            elif kind == codes.POLICY_VERDICT:
                identities = self._policy(record, event)
            elif kind == codes.CAPTURE:
                identities = self._capture(record, event)
            else:
                raise MalformedEvent(f"event of type {kind} is no flow")
        except (struct.error, IndexError) as exc:
            raise MalformedEvent(f"event of {len(event)} bytes ends too early") from exc
        # The datapath reserves room for the longest packet: what follows a shorter one is noise.
        (captured,) = _CAPTURED.unpack_from(event, 12)
        record.event = event = event[: record.frame_at + captured]
        self._packet(record, event)
        self._who(record, identities)
        return record

    def _trace(self, record: Record, event: bytes) -> tuple[int, int]:
        (
            record.kind,
            point,
            record.endpoint_id,
            _,
            _,
            _,
            version,
            source,
            destination,
            _,
            reason,
            _,
            record.interface,
        ) = _TRACE.unpack_from(event)
        record.subtype = point
        record.reason = reason
        record.verdict = codes.FORWARDED
        record.frame_at = _length(TRACE_LENGTH, version, event)
        if version and event[32:48] != _NOWHERE:
            record.translated_source = event[32:48]
        reason &= ~codes.REASON_ENCRYPTED
        if self._state_by_point:
            known = point in codes.POINTS_WITH_STATE
        else:
            known = reason not in codes.STATELESS_REASONS
        if known:
            record.is_reply = reason == codes.REASON_REPLY
        return source, destination

    def _drop(self, record: Record, event: bytes) -> tuple[int, int]:
        version = self._common(record, event)
        record.frame_at = _length(DROP_LENGTH, version, event)
        source, destination, _, _, record.interface = _DROP.unpack_from(event)
        record.reason = record.subtype
        record.verdict = codes.DROPPED
        return source, destination

    def _policy(self, record: Record, event: bytes) -> tuple[int, int]:
        version = self._common(record, event)
        remote, verdict, _, _, flags = _POLICY.unpack_from(event)
        record.frame_at = _length(POLICY_LENGTH, version, event)
        if verdict < 0:
            record.verdict, record.reason = codes.DROPPED, -verdict
        else:
            # Written for the first packet of a connection, which is no reply.
            record.is_reply = False
            audited = codes.AUDIT if flags & 0x40 else codes.FORWARDED
            record.verdict = codes.REDIRECTED if verdict else audited
        return (remote, 0) if flags & 0x3 == 1 else (0, remote)

    def _capture(self, record: Record, event: bytes) -> tuple[int, int]:
        self._common(record, event)
        record.frame_at = CAPTURE_LENGTH
        record.verdict = 0
        return 0, 0

    def _common(self, record: Record, event: bytes) -> int:
        """Fill in the common header's part; returns the version."""
        record.kind, record.subtype, record.endpoint_id, _, _, _, version = _COMMON.unpack_from(
            event
        )
        return int(version)

    def _packet(self, record: Record, event: bytes) -> None:
        (
            record.ip_version,
            record.protocol,
            source,
            record.destination_address,
            record.source_port,
            record.destination_port,
            record.detail,
        ) = parse(event, record.frame_at)
        if record.translated_source[: len(source)] == source:
            record.translated_source = b""  # it was not translated
        if record.translated_source:
            # The event names the source from before SNAT: 4 bytes and zeros, or 16 bytes.
            original = record.translated_source[: len(source)]
            record.translated_source, source = source, original
        record.source_address = source

    def _who(self, record: Record, identities: tuple[int, int]) -> None:
        source, destination = record.source_address, record.destination_address
        record.source = self._resolve(source, identities[0])
        record.destination = self._resolve(destination, identities[1])
        record.source_service = self._service(source, record.source_port)
        record.destination_service = self._service(destination, record.destination_port)

    def _resolve(self, address: bytes, identity: int) -> Endpoint:
        """Who the agent knows there, with the identity that the datapath saw, if it saw one.

        The two may differ: behind a router address stands whoever a node has passed on.
        """
        known = self._endpoint(address)
        if known is None:
            return self._stranger(identity)
        if identity in (0, known.identity):
            return known
        labels = self._stranger(identity).labels or known.labels
        return replace(known, identity=identity, labels=labels)

    def _stranger(self, identity: int) -> Endpoint:
        """An address that the agent does not know: all there is to say is the identity."""
        stranger = self._strangers.get(identity)
        if stranger is None:
            labels = self._labels(identity) or reserved_labels(identity)
            stranger = Endpoint(identity=identity, labels=labels)
            if labels:
                self._strangers[identity] = stranger
        return stranger


def _length(lengths: dict[int, int], version: int, event: bytes) -> int:
    """Where the packet begins; MalformedEvent for a version that nobody has defined yet."""
    length = lengths.get(version)
    if length is None:
        raise MalformedEvent(f"event of type {event[0]} has the unknown version {version}")
    if len(event) < length:
        raise MalformedEvent(f"event of {len(event)} bytes ends before byte {length}")
    return length
