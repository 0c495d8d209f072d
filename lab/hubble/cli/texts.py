"""The words of a flow: hosts, identities, types and verdicts, in two generations.

"0.8" is what the command printed in the time of Cilium 1.10; "current" what it prints since
0.10, with identities and with words of their own for policy verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable

from lab.hubble import codes
from lab.hubble.api import flow_pb2
from lab.hubble.identity import RESERVED

GENERATIONS = ("0.8", "current")

_OLD_SERVERS = "cilium v1.10"
"""Servers whose version begins so are read with the text of their time."""

_POLICY_VERDICTS = {
    flow_pb2.FORWARDED: "ALLOWED",
    flow_pb2.REDIRECTED: "ALLOWED",
    flow_pb2.DROPPED: "DENIED",
    flow_pb2.ERROR: "DENIED",
    flow_pb2.AUDIT: "AUDITED",
}

_TRANSLATIONS = {
    flow_pb2.SOCK_XLATE_POINT_PRE_DIRECTION_FWD: "pre-xlate-fwd",
    flow_pb2.SOCK_XLATE_POINT_POST_DIRECTION_FWD: "post-xlate-fwd",
    flow_pb2.SOCK_XLATE_POINT_PRE_DIRECTION_REV: "pre-xlate-rev",
    flow_pb2.SOCK_XLATE_POINT_POST_DIRECTION_REV: "post-xlate-rev",
}


def generation_of(version: str) -> str:
    """The generation of text that belongs to a server's version."""
    return "0.8" if version.startswith(_OLD_SERVERS) else "current"


def ports(flow: flow_pb2.Flow) -> tuple[int, int]:
    """Source and destination port, 0 where the flow has none."""
    protocol = flow.l4.WhichOneof("protocol")
    if protocol not in ("TCP", "UDP", "SCTP"):
        return 0, 0
    layer = getattr(flow.l4, protocol)
    return layer.source_port, layer.destination_port


def hosts(flow: flow_pb2.Flow, *, translate: bool) -> tuple[str, str]:
    """Names of both sides without ports: pod, service, DNS names or address, in this order.

    A frame without IP shows its MAC addresses. Without `translate` it is always the address.
    """
    if not flow.HasField("IP"):
        return flow.ethernet.source, flow.ethernet.destination
    if not translate:
        return flow.IP.source, flow.IP.destination
    return (
        _host(flow.source, flow.source_service, flow.source_names) or flow.IP.source,
        _host(flow.destination, flow.destination_service, flow.destination_names)
        or flow.IP.destination,
    )


def with_port(host: str, port: str) -> str:
    """ "host:port", an IPv6 address in brackets; the host alone when there is no port."""
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def identity(number: int) -> str:
    """ "(world)" for a reserved identity, "(ID:12345)" for any other."""
    return f"({RESERVED[number]})" if number in RESERVED else f"(ID:{number})"


def arrow(flow: flow_pb2.Flow) -> str:
    """ "->" as the packet goes, "<-" for a reply, "<>" when the datapath did not know."""
    if not flow.HasField("is_reply"):
        return "<>"
    return "<-" if flow.is_reply.value else "->"


def flow_type(flow: flow_pb2.Flow, generation: str) -> str:
    """What kind of event it was: observation point, drop reason, matched rule, request ..."""
    if flow.HasField("l7"):
        return _layer7(flow.l7)
    kind, subtype = flow.event_type.type, flow.event_type.sub_type
    if kind == codes.TRACE:
        return codes.observation_point(subtype)
    if kind == codes.DROP:
        return codes.drop_reason(subtype)
    if kind == codes.POLICY_VERDICT:
        return _policy_type(flow, generation)
    if kind == codes.CAPTURE and generation != "0.8":
        return codes.CAPTURE_POINTS.get(subtype, "DBG_CAPTURE_POINT_UNKNOWN")
    if kind == codes.TRACE_SOCK and generation != "0.8":
        point = flow.sock_xlate_point
        return _TRANSLATIONS.get(point) or enum_name(flow_pb2.SocketTranslationPoint, point)
    return "UNKNOWN"


def verdict(flow: flow_pb2.Flow, generation: str) -> str:
    """FORWARDED, DROPPED ...; for policy verdicts the current text says ALLOWED or DENIED."""
    if generation != "0.8" and flow.event_type.type == codes.POLICY_VERDICT:
        word = _POLICY_VERDICTS.get(flow.verdict)
        if word is not None:
            return word
    return enum_name(flow_pb2.Verdict, flow.verdict)


def summary(flow: flow_pb2.Flow, generation: str) -> str:
    """The flow's own text, and how it was authenticated if it was."""
    text: str = flow.Summary
    if generation != "0.8" and flow.auth_type:
        return f"{text}; {enum_name(flow_pb2.AuthType, flow.auth_type)}"
    return text


def enum_name(enumeration: object, number: int) -> str:
    """The name of a value, its number when this program is older than the value."""
    names = enumeration.DESCRIPTOR.values_by_number  # type: ignore[attr-defined]
    return names[number].name if number in names else str(number)


def _host(endpoint: flow_pb2.Endpoint, service: flow_pb2.Service, names: Iterable[str]) -> str:
    # A service's namespace replaces the pod's, as in Hubble.
    namespace = service.namespace if service.name or service.namespace else endpoint.namespace
    name = endpoint.pod_name or service.name
    if name:
        return f"{namespace}/{name}" if namespace else name
    return ",".join(names)


def _policy_type(flow: flow_pb2.Flow, generation: str) -> str:
    number = flow.policy_match_type
    match = codes.MATCH_TYPES[number] if number < len(codes.MATCH_TYPES) else str(number)
    if generation != "0.8":
        direction = enum_name(flow_pb2.TrafficDirection, flow.traffic_direction)
        return f"policy-verdict:{match} {direction}"
    if flow.verdict == flow_pb2.FORWARDED:
        return match
    return codes.drop_reason(flow.drop_reason) if flow.verdict == flow_pb2.DROPPED else "UNKNOWN"


def _layer7(layer: flow_pb2.Layer7) -> str:
    kind = enum_name(flow_pb2.L7FlowType, layer.type).lower()
    record = layer.WhichOneof("record")
    if record == "dns":
        return f"dns-{kind} {layer.dns.observation_source}"
    return f"{record or 'l7'}-{kind}"
