"""Flows from a file or from standard input, filtered here as a server would."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from lab.errors import InputError
from lab.hubble.api import observer_pb2
from lab.hubble.cli import json_lines
from lab.hubble.filters.compile import Context, compile_filters
from lab.hubble.filters.message_view import MessageView
from lab.hubble.service.request import apply_mask, mask_of

_CONTEXT = Context(
    node_of=lambda view: view.message.node_name,
    uuid_of=lambda view: view.message.uuid,
    interface_name=lambda _index: "",
    message_of=lambda view: view.message,
)


def flows(
    name: str, request: observer_pb2.GetFlowsRequest
) -> Iterator[observer_pb2.GetFlowsResponse]:
    """The responses of file `name` ("-" is standard input) that the request selects, in order.

    InputError when it cannot be read.
    """
    if name == "-":
        yield from select(json_lines.read_flows(sys.stdin, "standard input"), request)
        return
    try:
        with Path(name).open(encoding="utf-8") as file:
            yield from select(json_lines.read_flows(file, name), request)
    except OSError as exc:
        raise InputError(f"cannot read {name}: {exc.strerror}") from exc


def select(
    responses: Iterable[observer_pb2.GetFlowsResponse], request: observer_pb2.GetFlowsRequest
) -> Iterator[observer_pb2.GetFlowsResponse]:
    """What a server would send of these responses; anything but flows passes unless counted."""
    matching = _masked(_matching(responses, request), request)
    if not request.number:
        return matching
    if request.first:
        return (each for _, each in zip(range(request.number), matching, strict=False))
    # A deque holds at most as many as a C ssize_t counts, which is all there can be.
    return iter(deque(matching, maxlen=min(request.number, sys.maxsize)))


def _matching(
    responses: Iterable[observer_pb2.GetFlowsResponse], request: observer_pb2.GetFlowsRequest
) -> Iterator[observer_pb2.GetFlowsResponse]:
    matches = compile_filters(request.whitelist, request.blacklist, _CONTEXT)
    since = request.since.ToNanoseconds() if request.HasField("since") else 0
    until = request.until.ToNanoseconds() if request.HasField("until") else 1 << 63
    for response in responses:
        if not response.HasField("flow") or (
            since <= response.flow.time.ToNanoseconds() <= until
            and (matches is None or matches(MessageView(response.flow)))
        ):
            yield response


def _masked(
    responses: Iterable[observer_pb2.GetFlowsResponse], request: observer_pb2.GetFlowsRequest
) -> Iterator[observer_pb2.GetFlowsResponse]:
    mask = mask_of(request)
    for response in responses:
        if mask is not None and response.HasField("flow"):
            response.flow.CopyFrom(apply_mask(response.flow, mask))
        yield response
