"""One stored flow: what an event said, with the endpoints as they were known at its time.

Reading an event costs a few microseconds; everything that only a client wants (protobuf, MAC
addresses, texts) is made from the kept bytes when the flow leaves.
"""

from __future__ import annotations

from typing import ClassVar

from lab.hubble import codes
from lab.hubble.lookup import Endpoint, Service

_WITH_PORTS = frozenset({codes.TCP, codes.UDP, codes.SCTP})


class Record:
    """A decoded event. Addresses packed, numbers in host byte order, 0 or None: not known."""

    __slots__ = (
        "at",
        "destination",
        "destination_address",
        "destination_port",
        "destination_service",
        "detail",
        "endpoint_id",
        "event",
        "frame_at",
        "interface",
        "ip_version",
        "is_reply",
        "kind",
        "number",
        "protocol",
        "reason",
        "source",
        "source_address",
        "source_port",
        "source_service",
        "subtype",
        "translated_source",
        "verdict",
    )

    at: int
    """Unix time in nanoseconds."""
    number: int
    """Position in the node's log, counted from the observer's start."""
    event: bytes
    """The event as the datapath wrote it; the captured frame begins at `frame_at`."""
    frame_at: int
    kind: int
    """Message type (codes.TRACE ...)."""
    subtype: int
    """Observation point, drop reason or capture point."""
    endpoint_id: int
    """The local endpoint at which the event was written; 0 for the host's own programs."""
    reason: int
    """Trace: reason byte. Drop and refused policy verdict: drop reason. Otherwise 0."""
    interface: int
    verdict: int
    is_reply: bool | None
    ip_version: int
    protocol: int
    source_address: bytes
    destination_address: bytes
    translated_source: bytes
    """The frame's own source where the event names an earlier one (SNAT); else empty."""
    source_port: int
    destination_port: int
    detail: int
    """TCP flags or ICMP type and code, as in packet.Headers."""
    source: Endpoint
    destination: Endpoint
    source_service: Service | None
    destination_service: Service | None

    # There is no proxy and no DNS watcher in the lab: nothing to say about layer 7.
    source_names: ClassVar[tuple[str, ...]] = ()
    destination_names: ClassVar[tuple[str, ...]] = ()
    l7_protocol: ClassVar[str] = ""
    http_status: ClassVar[str] = ""
    http_method: ClassVar[str] = ""
    http_url: ClassVar[str] = ""
    http_path: ClassVar[str] = ""
    http_headers: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    dns_query: ClassVar[str] = ""
    trace_id: ClassVar[str] = ""

    @property
    def has_ports(self) -> bool:
        return self.protocol in _WITH_PORTS

    @property
    def direction(self) -> int:
        """Traffic direction as seen from the local endpoint (codes.INGRESS ...)."""
        if self.kind == codes.POLICY_VERDICT:
            return codes.INGRESS if self.event[27] & 0x3 == 1 else codes.EGRESS
        if not self.endpoint_id:
            return codes.UNKNOWN_DIRECTION
        leaves = self.endpoint_id == self.source.id
        if self.kind == codes.DROP:
            return codes.EGRESS if leaves else codes.INGRESS
        if self.kind == codes.TRACE and self.is_reply is not None:
            # A reply that leaves the endpoint belongs to a connection that came in.
            return codes.EGRESS if leaves != self.is_reply else codes.INGRESS
        return codes.UNKNOWN_DIRECTION

    @property
    def encrypted(self) -> bool:
        return self.kind == codes.TRACE and bool(self.reason & codes.REASON_ENCRYPTED)

    @property
    def match_type(self) -> int:
        """Index into codes.MATCH_TYPES; 0 for anything but a policy verdict."""
        return (self.event[27] & 0x38) >> 3 if self.kind == codes.POLICY_VERDICT else 0
