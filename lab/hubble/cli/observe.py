"""`hubble observe`: flows, agent events and debug events."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask

from lab.errors import InputError
from lab.hubble.api import flow_pb2, observer_pb2
from lab.hubble.cli import connection, event_printer, json_lines, offline, texts, times
from lab.hubble.cli.filter_flags import FlowFilters
from lab.hubble.cli.printer import FlowPrinter, Style
from lab.hubble.cli.terminal import wants_color
from lab.hubble.service import table as services

LAST = 20
"""Flows that a bare `hubble observe` shows."""

EVERYTHING = (1 << 64) - 1

COMPACT_MASK = (
    "time",
    "verdict",
    "drop_reason",
    "auth_type",
    "ethernet",
    "IP",
    "l4",
    "source.identity",
    "source.namespace",
    "source.pod_name",
    "destination.identity",
    "destination.namespace",
    "destination.pod_name",
    "node_name",
    "source_names",
    "destination_names",
    "l7",
    "event_type",
    "source_service",
    "destination_service",
    "traffic_direction",
    "policy_match_type",
    "debug_capture_point",
    "is_reply",
    "Summary",
)
"""What the compact, dict and table outputs read of a flow."""


def flows(options: argparse.Namespace) -> None:
    """Print the flows that the options select."""
    _check_output(options)
    filters: FlowFilters = options.filters or FlowFilters()
    filters.finish()
    request = flows_request(options, filters, now=time.time_ns())
    if options.print_raw_filters:
        _print_raw_filters(request)
    elif options.input_file:
        _print_flows(offline.flows(options.input_file, request), options, generation="current")
    else:
        with connection.connect(options, times.duration(options.timeout) / 10**9) as channel:
            generation = options.text if options.text != "auto" else server_text(channel)
            stream = services.call(channel, services.OBSERVER, "GetFlows")(request)
            _print_flows(stream, options, generation)


def agent_events(options: argparse.Namespace) -> None:
    """Print what the agents did."""
    request = observer_pb2.GetAgentEventsRequest()
    _events(options, "GetAgentEvents", request, event_printer.agent_event)


def debug_events(options: argparse.Namespace) -> None:
    """Print the programs' debug messages."""
    request = observer_pb2.GetDebugEventsRequest()
    _events(options, "GetDebugEvents", request, event_printer.debug_event)


def flows_request(
    options: argparse.Namespace, filters: FlowFilters, *, now: int
) -> observer_pb2.GetFlowsRequest:
    """The request for the options; InputError when they contradict each other."""
    request = observer_pb2.GetFlowsRequest()
    _select(request, options, now=now)
    allow = [*filters.allow.filters(), *_raw(options.allowlist, "allowlist")]
    deny = [*filters.deny.filters(), *_raw(options.denylist, "denylist")]
    request.whitelist.extend(allow)
    request.blacklist.extend(deny)
    paths = [p for each in options.experimental_field_mask for p in each.split(",") if p]
    if options.experimental_use_default_field_masks and options.output not in ("json", "jsonpb"):
        paths = list(COMPACT_MASK)
    if paths:
        request.field_mask.CopyFrom(FieldMask(paths=paths))
        request.experimental.field_mask.CopyFrom(FieldMask(paths=paths))
    return request


def server_text(channel: Any) -> str:
    """The generation of text that belongs to the server's version."""
    ask = services.call(channel, services.OBSERVER, "ServerStatus")
    version: str = ask(observer_pb2.ServerStatusRequest()).version
    return texts.generation_of(version)


def _select(request: Any, options: argparse.Namespace, *, now: int) -> None:
    """Fill in number, first, follow, since and until."""
    if options.first and options.last:
        raise InputError("--first and --last exclude each other")
    if options.all and (options.first or options.last):
        raise InputError("--all already means every flow: leave out --first or --last")
    if options.first and options.follow:
        raise InputError("--first and --follow exclude each other")
    number = options.first or options.last
    bounded = bool(options.since or options.until)
    if options.all:
        number = EVERYTHING
    elif not (number or bounded or options.follow or getattr(options, "input_file", "")):
        number = LAST
    request.number = number
    request.first = bool(options.first)
    request.follow = options.follow
    if options.since:
        request.since.FromNanoseconds(times.parse(options.since, now=now))
    if options.until and not options.follow:
        request.until.FromNanoseconds(times.parse(options.until, now=now))


def _check_output(options: argparse.Namespace) -> None:
    if options.output == "table" and options.follow:
        raise InputError("a table needs to know its widest row: use another output with --follow")
    if options.experimental_field_mask and options.output not in ("json", "jsonpb"):
        raise InputError(f"output {options.output} does not work with a field mask: use -o json")


def _raw(texts: Iterable[str], name: str) -> Iterator[flow_pb2.FlowFilter]:
    """FlowFilters from JSON, any number one after the other in each text."""
    for text in texts:
        try:
            yield from (
                json_format.ParseDict(value, flow_pb2.FlowFilter())
                for value in json_lines.values(text)
            )
        except (ValueError, json_format.ParseError) as exc:
            raise InputError(f"invalid --{name} {text!r}: {exc}") from exc


def _print_raw_filters(request: observer_pb2.GetFlowsRequest) -> None:
    """The request's filters in the form that --allowlist and --denylist take."""
    lists = (("allowlist", request.whitelist), ("denylist", request.blacklist))
    for name, filters in lists:
        if filters:
            sys.stdout.write(f"{name}:\n")
        sys.stdout.writelines(f"    - '{json_lines.text(each)}'\n" for each in filters)


def _print_flows(
    responses: Iterable[observer_pb2.GetFlowsResponse],
    options: argparse.Namespace,
    generation: str,
) -> None:
    style = Style(
        output=options.output,
        generation=options.text if options.text != "auto" else generation,
        node_name=options.print_node_name,
        translate=options.ip_translation and not options.numeric,
        color=wants_color(options.color, sys.stdout),
        time_format=options.time_format,
        debug=options.debug,
        silent=options.silent_errors,
    )
    printer = FlowPrinter(style, sys.stdout, sys.stderr)
    try:
        for response in responses:
            printer.write(response)
    finally:
        printer.close()


def _events(
    options: argparse.Namespace,
    method: str,
    request: Any,
    describe: Callable[[Any, str], event_printer.Description],
) -> None:
    _select(request, options, now=time.time_ns())
    if options.output == "table" and options.follow:
        raise InputError("a table needs to know its widest row: use another output with --follow")
    with connection.connect(options, times.duration(options.timeout) / 10**9) as channel:
        stream = services.call(channel, services.OBSERVER, method)(request)
        printer = event_printer.EventPrinter(options, describe, sys.stdout)
        for response in stream:
            printer.write(response)
        printer.close()
