"""FlowFilters compiled into one predicate: who may pass.

Inside a filter every field that is set must match (AND) by one of its values (OR). A flow passes
when a filter of the whitelist matches, or there is none, and no filter of the blacklist does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from lab.errors import InputError
from lab.hubble.api import flow_pb2
from lab.hubble.filters import expression, selector, what, who
from lab.hubble.filters.view import FlowView

Predicate = Callable[[FlowView], bool]


@dataclass(frozen=True)
class Context:
    """What a filter has to know beyond the flow; the functions take what the flows really are."""

    node_of: Callable[[Any], str]
    uuid_of: Callable[[Any], str]
    interface_name: Callable[[int], str]
    message_of: Callable[[Any], flow_pb2.Flow]
    """The flow as a message, for the expressions that may ask for any of its fields."""
    node_labels: tuple[str, ...] = ()


Builder = Callable[[Any, Context], Predicate]


def _sided(build: Callable[..., Predicate], side: str) -> Builder:
    return lambda values, _: build(values, side)


def _plain(build: Callable[..., Predicate]) -> Builder:
    return lambda values, _: build(values)


def _text(attribute: str, name: str) -> Builder:
    return lambda values, _: what.by_text(values, lambda flow: getattr(flow, attribute), name)


def _by_node_labels(values: Iterable[str], context: Context) -> Predicate:
    """Selectors over the labels of the node that saw the flow: the same answer for all flows."""
    selected = any(selector.parse(text)(context.node_labels) for text in values)
    return lambda _flow: selected


def _by_expression(value: Any, context: Context) -> Predicate:
    """`value` is a FlowFilter.Experimental."""
    programs = [expression.compile_expression(text) for text in value.cel_expression]
    if not programs:
        raise InputError("an experimental filter without a CEL expression")

    def matches(flow: FlowView) -> bool:
        message = context.message_of(flow)
        return any(program(message) for program in programs)

    return matches


BUILDERS: dict[str, Builder] = {
    "verdict": _plain(what.by_verdict),
    "event_type": _plain(what.by_event_type),
    "protocol": _plain(what.by_protocol),
    "reply": _plain(what.by_reply),
    "tcp_flags": _plain(what.by_tcp_flags),
    "ip_version": _plain(what.by_ip_version),
    "traffic_direction": _plain(what.by_direction),
    "drop_reason_desc": _plain(what.by_drop_reason),
    "encrypted": _plain(what.by_encrypted),
    "source_ip": _sided(who.by_ip, "source_address"),
    "destination_ip": _sided(who.by_ip, "destination_address"),
    "source_ip_xlated": _sided(who.by_ip, "translated_source"),
    "http_status_code": _plain(what.by_http_status),
    "http_method": _plain(what.by_http_method),
    "http_path": _text("http_path", "http_path"),
    "http_url": _text("http_url", "http_url"),
    "http_header": _plain(what.by_http_header),
    "dns_query": _text("dns_query", "dns_query"),
    "trace_id": _plain(what.by_trace_id),
    "uuid": lambda values, context: what.by_uuid(values, context.uuid_of),
    "node_name": lambda values, context: what.by_node_name(values, context.node_of),
    "interface": lambda values, context: what.by_interface(values, context.interface_name),
    "node_labels": _by_node_labels,
    "experimental": _by_expression,
}

SIDED: dict[str, Callable[..., Predicate]] = {
    "pod": who.by_pod,
    "service": who.by_service,
    "fqdn": who.by_fqdn,
    "label": who.by_label,
    "workload": who.by_workload,
    "identity": who.by_identity,
    "port": who.by_port,
    "cluster_name": who.by_cluster,
}

BUILDERS.update(
    (f"{side}_{field}", _sided(build, side))
    for side in ("source", "destination")
    for field, build in SIDED.items()
)


def compile_filters(
    whitelist: Sequence[flow_pb2.FlowFilter],
    blacklist: Sequence[flow_pb2.FlowFilter],
    context: Context,
) -> Predicate | None:
    """The predicate of both lists, None when everything passes; InputError names a bad value."""
    allowed = _any_of(whitelist, context)
    denied = _any_of(blacklist, context)
    if denied is None:
        return allowed
    if allowed is None:
        return lambda flow: not denied(flow)
    return lambda flow: allowed(flow) and not denied(flow)


def _any_of(filters: Sequence[flow_pb2.FlowFilter], context: Context) -> Predicate | None:
    """A filter without any field matches everything, so it makes its whole list do so."""
    choices = [_all_of(each, context) for each in filters]
    return reduce(_either, choices) if choices else None


def _all_of(message: flow_pb2.FlowFilter, context: Context) -> Predicate:
    parts = [BUILDERS[field.name](value, context) for field, value in message.ListFields()]
    return reduce(_both, parts) if parts else lambda _flow: True


def _either(one: Predicate, other: Predicate) -> Predicate:
    return lambda flow: one(flow) or other(flow)


def _both(one: Predicate, other: Predicate) -> Predicate:
    return lambda flow: one(flow) and other(flow)
