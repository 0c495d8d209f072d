"""Filters about what happened: verdict, event type, protocol, flags, direction, layer 7.

Every builder takes the values of one field of a FlowFilter and returns a predicate that is true
when one of the values matches.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from typing import Protocol

from lab.errors import InputError
from lab.hubble import codes
from lab.hubble.filters.view import FlowView

Predicate = Callable[[FlowView], bool]

PROTOCOLS = {
    "tcp": {codes.TCP},
    "udp": {codes.UDP},
    "sctp": {codes.SCTP},
    "icmp": {codes.ICMP, codes.ICMPV6},
    "icmpv4": {codes.ICMP},
    "icmpv6": {codes.ICMPV6},
}
L7_PROTOCOLS = frozenset({"dns", "http", "kafka"})


class EventType(Protocol):
    """flow.EventTypeFilter."""

    @property
    def type(self) -> int: ...

    @property
    def match_sub_type(self) -> bool: ...

    @property
    def sub_type(self) -> int: ...


class Interface(Protocol):
    """flow.NetworkInterface as a filter: an empty part matches everything."""

    @property
    def index(self) -> int: ...

    @property
    def name(self) -> str: ...


class Header(Protocol):
    """flow.HTTPHeader."""

    @property
    def key(self) -> str: ...

    @property
    def value(self) -> str: ...


def by_verdict(values: Iterable[int]) -> Predicate:
    wanted = frozenset(values)
    return lambda flow: flow.verdict in wanted


def by_drop_reason(values: Iterable[int]) -> Predicate:
    wanted = frozenset(values)
    return lambda flow: flow.verdict == codes.DROPPED and flow.reason in wanted


def by_event_type(values: Iterable[EventType]) -> Predicate:
    """Type 0 stands for every type."""
    wanted = [(each.type, each.sub_type if each.match_sub_type else None) for each in values]
    return lambda flow: any(
        kind in (0, flow.kind) and (subtype is None or subtype == flow.subtype)
        for kind, subtype in wanted
    )


def by_protocol(values: Iterable[str]) -> Predicate:
    numbers: set[int] = set()
    layer7: set[str] = set()
    for text in values:
        name = text.lower()
        if name in L7_PROTOCOLS:
            layer7.add(name)
        elif name in PROTOCOLS:
            numbers |= PROTOCOLS[name]
        else:
            known = ", ".join(sorted([*PROTOCOLS, *L7_PROTOCOLS]))
            raise InputError(f"unknown protocol {text!r}: want one of {known}")
    return lambda flow: flow.protocol in numbers or flow.l7_protocol in layer7


def by_reply(values: Iterable[bool]) -> Predicate:
    """A flow of unknown direction matches neither."""
    wanted = frozenset(values)
    return lambda flow: flow.is_reply is not None and flow.is_reply in wanted


def by_tcp_flags(values: Iterable[object]) -> Predicate:
    """All flags that a value sets must be set; further flags do not matter."""
    masks = []
    for flags in values:
        mask = sum(bit for name, bit in codes.TCP_FLAGS if getattr(flags, name))
        if not mask:
            raise InputError("a TCP flags filter must name at least one flag")
        masks.append(mask)
    return lambda flow: (
        flow.protocol == codes.TCP and any(flow.detail & mask == mask for mask in masks)
    )


def by_ip_version(values: Iterable[int]) -> Predicate:
    """flow.IPVersion: 1 is IPv4, 2 is IPv6."""
    wanted = {{1: 4, 2: 6}.get(value, 0) for value in values}
    return lambda flow: flow.ip_version in wanted


def by_direction(values: Iterable[int]) -> Predicate:
    wanted = frozenset(values)
    return lambda flow: flow.direction in wanted


def by_encrypted(values: Iterable[bool]) -> Predicate:
    wanted = frozenset(values)
    return lambda flow: flow.encrypted in wanted


def by_interface(values: Iterable[Interface], name_of: Callable[[int], str]) -> Predicate:
    wanted = [(each.index, each.name) for each in values]
    return lambda flow: (
        flow.interface != 0
        and any(
            index in (0, flow.interface) and name in ("", name_of(flow.interface))
            for index, name in wanted
        )
    )


def by_node_name(values: Iterable[str], node_of: Callable[[FlowView], str]) -> Predicate:
    """Shell patterns over "cluster/node": a pattern without a slash is about the node only."""
    wanted = []
    for text in values:
        cluster, slash, node = text.partition("/")
        if not text:
            raise InputError("empty node name in a filter")
        pattern = f"{cluster or '*'}/{node or '*'}" if slash else f"*/{text}"
        wanted.append(re.compile(fnmatch.translate(pattern)))

    def matches(flow: FlowView) -> bool:
        name = node_of(flow)
        full = name if "/" in name else f"default/{name}"
        return any(pattern.match(full) for pattern in wanted)

    return matches


def by_uuid(values: Iterable[str], uuid_of: Callable[[FlowView], str]) -> Predicate:
    wanted = frozenset(values)
    return lambda flow: uuid_of(flow) in wanted


def by_trace_id(values: Iterable[str]) -> Predicate:
    wanted = frozenset(values)
    return lambda flow: flow.trace_id in wanted


def by_http_status(values: Iterable[str]) -> Predicate:
    """ "404", or a prefix such as "4+"."""
    exact = set()
    prefixes = []
    for text in values:
        if not re.fullmatch(r"[1-5]\d\d|[1-5]\d?\+", text):
            raise InputError(f"invalid HTTP status code filter {text!r}: want 404, 40+ or 4+")
        if text.endswith("+"):
            prefixes.append(text[:-1])
        else:
            exact.add(text)
    begins = tuple(prefixes)

    def matches(flow: FlowView) -> bool:
        status = flow.http_status
        return bool(status) and (status in exact or status.startswith(begins))

    return matches


def by_text(values: Iterable[str], read: Callable[[FlowView], str], what: str) -> Predicate:
    """Regular expressions, found anywhere in the text that `read` takes from a layer-7 flow."""
    try:
        wanted = [re.compile(text) for text in values]
    except re.error as exc:
        raise InputError(f"invalid regular expression in a {what} filter: {exc}") from exc

    def matches(flow: FlowView) -> bool:
        text = read(flow)
        return bool(text) and any(pattern.search(text) for pattern in wanted)

    return matches


def by_http_method(values: Iterable[str]) -> Predicate:
    wanted = {text.upper() for text in values}
    return lambda flow: flow.http_method.upper() in wanted


def by_http_header(values: Iterable[Header]) -> Predicate:
    wanted = {(each.key.lower(), each.value) for each in values}
    return lambda flow: not wanted.isdisjoint(flow.http_headers)
