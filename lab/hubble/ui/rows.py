"""Flows as rows of the page's table: plain values, no markup."""

from __future__ import annotations

from typing import Any

from lab.hubble import codes
from lab.hubble.api import flow_pb2
from lab.hubble.cli import texts
from lab.hubble.ui.cards import card_of

_DIRECTIONS = {flow_pb2.INGRESS: "ingress", flow_pb2.EGRESS: "egress"}


def row(flow: flow_pb2.Flow) -> dict[str, Any]:
    """What the table can show of a flow; times in Unix milliseconds."""
    source_port, destination_port = texts.ports(flow)
    return {
        "id": flow.uuid,
        "time": flow.time.ToMilliseconds(),
        "node": flow.node_name,
        "source": _end(flow.source, flow.IP.source or flow.ethernet.source, source_port),
        "destination": _end(
            flow.destination, flow.IP.destination or flow.ethernet.destination, destination_port
        ),
        "service": flow.destination_service.name,
        "verdict": texts.enum_name(flow_pb2.Verdict, flow.verdict).lower(),
        "reason": codes.drop_reason(flow.drop_reason) if flow.drop_reason else "",
        "type": texts.flow_type(flow, "current"),
        "arrow": texts.arrow(flow),
        "direction": _DIRECTIONS.get(flow.traffic_direction, ""),
        "protocol": flow.l4.WhichOneof("protocol") or "",
        "flags": [name for name, _ in codes.TCP_FLAGS if getattr(flow.l4.TCP.flags, name)],
        "layer7": texts.flow_type(flow, "current") if flow.HasField("l7") else "",
        "summary": flow.Summary,
    }


def _end(endpoint: flow_pb2.Endpoint, address: str, port: int) -> dict[str, Any]:
    card = card_of(endpoint)
    return {
        "title": card.title,
        "namespace": endpoint.namespace,
        "pod": endpoint.pod_name,
        "address": address,
        "port": port,
        "identity": endpoint.identity,
    }
