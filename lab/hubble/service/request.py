"""Requests as selections: what the Observer service's messages mean, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from lab.hubble.api import flow_pb2, observer_pb2
from lab.hubble.query import Selection

MASKABLE = frozenset(flow_pb2.Flow.DESCRIPTOR.fields_by_name)


def selection(request: Any, matches: Callable[[Any], bool] | None = None) -> Selection[Any]:
    """The selection that a GetFlows, GetAgentEvents or GetDebugEvents request asks for.

    InputError when its fields contradict each other.
    """
    return Selection(
        matches=matches,
        number=request.number,
        first=request.first,
        follow=request.follow,
        since=_nanoseconds(request, "since"),
        until=_nanoseconds(request, "until"),
    )


def mask_of(request: observer_pb2.GetFlowsRequest) -> FieldMask | None:
    """The fields of a flow that the client wants, None for all.

    Clients newer than this lab name fields that it does not know: those are left out. A path that
    goes through an unknown or repeated field is dropped too.
    """
    asked = list(request.field_mask.paths) or list(request.experimental.field_mask.paths)
    if not asked:
        return None
    return FieldMask(paths=[path for path in asked if _is_path(path)])


def apply_mask(flow: flow_pb2.Flow, mask: FieldMask | None) -> flow_pb2.Flow:
    """A flow with only the fields of the mask."""
    if mask is None:
        return flow
    masked = flow_pb2.Flow()
    mask.MergeMessage(flow, masked)
    return masked


def _is_path(path: str) -> bool:
    descriptor: Any = flow_pb2.Flow.DESCRIPTOR
    names = path.split(".")
    for depth, name in enumerate(names):
        field = descriptor.fields_by_name.get(name) if descriptor is not None else None
        if field is None:
            return False
        last = depth == len(names) - 1
        if not last and field.is_repeated:
            return False
        descriptor = field.message_type
    return True


def _nanoseconds(request: Any, field: str) -> int:
    if not request.HasField(field):
        return 0
    timestamp: Timestamp = getattr(request, field)
    return max(timestamp.ToNanoseconds(), 0)
