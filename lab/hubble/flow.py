"""Records as messages: what leaves a node."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from lab.hubble import codes, icmp
from lab.hubble.api import flow_pb2
from lab.hubble.identity import CLUSTER
from lab.hubble.lookup import Endpoint, EndpointLookup, Service
from lab.hubble.packet import ethernet
from lab.hubble.record import Record


class FlowWriter:
    """Makes Flow messages of one node's Records."""

    def __init__(self, node_name: str, lookup: EndpointLookup, *, boot: int) -> None:
        """`boot` makes the flows' ids differ from those of an earlier run of the same node."""
        self._node_name = node_name
        self._lookup = lookup
        self._boot = boot & (1 << 64) - 1

    def uuid(self, record: Record) -> str:
        """An id that is the same each time this record is asked for, and no other's."""
        digits = f"{self._boot:016x}{record.number & (1 << 64) - 1:016x}"
        # Version 8 (RFC 9562): the rest is ours to define.
        return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def write(self, record: Record) -> flow_pb2.Flow:
        """The whole message, every field that the event can tell."""
        flow = flow_pb2.Flow(
            uuid=self.uuid(record),
            verdict=record.verdict,  # type: ignore[arg-type]
            source=endpoint_message(record.source),
            destination=endpoint_message(record.destination),
            Type=flow_pb2.L3_L4,
            node_name=self._node_name,
            event_type=flow_pb2.CiliumEventType(type=record.kind, sub_type=record.subtype),
            traffic_direction=record.direction,  # type: ignore[arg-type]
            policy_match_type=record.match_type,
            Summary=summary(record),
        )
        flow.time.FromNanoseconds(record.at)
        self._write_kind(flow, record)
        _write_packet(flow, record)
        if record.is_reply is not None:
            flow.is_reply.value = record.is_reply
            flow.reply = record.is_reply
        if record.source_service is not None:
            flow.source_service.CopyFrom(_service(record.source_service))
        if record.destination_service is not None:
            flow.destination_service.CopyFrom(_service(record.destination_service))
        return flow

    def _write_kind(self, flow: flow_pb2.Flow, record: Record) -> None:
        if record.kind == codes.TRACE:
            point = record.subtype or codes.TO_ENDPOINT
            flow.trace_observation_point = point  # type: ignore[assignment]
            flow.trace_reason = _trace_reason(record.reason)  # type: ignore[assignment]
        elif record.kind == codes.CAPTURE:
            flow.debug_capture_point = record.subtype  # type: ignore[assignment]
        if record.verdict == codes.DROPPED:
            flow.drop_reason = record.reason
            flow.drop_reason_desc = record.reason  # type: ignore[assignment]
        if record.interface:
            flow.interface.index = record.interface
            flow.interface.name = self._lookup.interface(record.interface)


def endpoint_message(endpoint: Endpoint) -> flow_pb2.Endpoint:
    """An endpoint as a message; the cluster's name is there for pods only, as in Hubble."""
    message = _endpoint_message(endpoint)
    assert isinstance(message, flow_pb2.Endpoint)
    return message


@lru_cache(maxsize=1024)
def _endpoint_message(endpoint: Endpoint) -> flow_pb2.Endpoint:
    return flow_pb2.Endpoint(
        ID=endpoint.id,
        identity=endpoint.identity,
        namespace=endpoint.namespace,
        labels=endpoint.labels,
        pod_name=endpoint.pod,
        cluster_name=CLUSTER if endpoint.pod else "",
        workloads=[flow_pb2.Workload(name=w.name, kind=w.kind) for w in endpoint.workloads],
    )


@lru_cache(maxsize=4096)
def address_text(packed: bytes) -> str:
    """A packed address as text; empty for none."""
    if len(packed) == 4:
        return str(IPv4Address(packed))
    return str(IPv6Address(packed)) if len(packed) == 16 else ""


def summary(record: Record) -> str:
    """What the commands print in parentheses: "TCP Flags: SYN, ACK", "ICMPv4 EchoRequest"."""
    if record.protocol == codes.TCP:
        return f"TCP Flags: {_flag_names(record.detail)}"
    if record.protocol == codes.UDP:
        return "UDP"
    if record.protocol == codes.SCTP:
        return "SCTP"
    if record.protocol == codes.ICMP:
        return f"ICMPv4 {icmp.type_code_v4(record.detail)}"
    if record.protocol == codes.ICMPV6:
        return f"ICMPv6 {icmp.type_code_v6(record.detail)}"
    if record.ip_version:
        return f"IPv{record.ip_version}"
    return "Ethernet" if len(record.event) - record.frame_at >= 14 else ""


@lru_cache(maxsize=512)
def _flag_names(bits: int) -> str:
    return ", ".join(name for name, bit in codes.TCP_FLAGS if bits & bit)


def _trace_reason(reason: int) -> int:
    """The datapath counts from "new" at 0 with "unknown" at 5; the message has unknown at 0."""
    reason &= ~codes.REASON_ENCRYPTED
    if reason == codes.REASON_UNKNOWN:
        return 0
    return reason + 1 if reason < codes.REASON_UNKNOWN else reason


def _service(service: Service) -> flow_pb2.Service:
    return flow_pb2.Service(name=service.name, namespace=service.namespace)


def _write_packet(flow: flow_pb2.Flow, record: Record) -> None:
    macs = ethernet(record.event, record.frame_at)
    if macs is not None:
        flow.ethernet.source, flow.ethernet.destination = macs
    if not record.ip_version:
        return
    flow.IP.source = address_text(record.source_address)
    flow.IP.destination = address_text(record.destination_address)
    flow.IP.source_xlated = address_text(record.translated_source)
    flow.IP.ipVersion = flow_pb2.IPv4 if record.ip_version == 4 else flow_pb2.IPv6
    flow.IP.encrypted = record.encrypted
    _write_l4(flow.l4, record)


def _write_l4(l4: flow_pb2.Layer4, record: Record) -> None:
    if record.protocol == codes.TCP:
        l4.TCP.source_port = record.source_port
        l4.TCP.destination_port = record.destination_port
        for name, bit in codes.TCP_FLAGS:
            if record.detail & bit:
                setattr(l4.TCP.flags, name, True)
        # Present even when no flag is set: a packet without flags is a finding.
        l4.TCP.flags.SetInParent()
    elif record.protocol in (codes.UDP, codes.SCTP):
        ports = l4.UDP if record.protocol == codes.UDP else l4.SCTP
        ports.source_port = record.source_port
        ports.destination_port = record.destination_port
    elif record.protocol in (codes.ICMP, codes.ICMPV6):
        message = l4.ICMPv4 if record.protocol == codes.ICMP else l4.ICMPv6
        message.type, message.code = divmod(record.detail, 256)
        message.SetInParent()
