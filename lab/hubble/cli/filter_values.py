"""Values of filter flags that need to be understood: names of events, flags, identities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from lab.errors import InputError
from lab.hubble import codes
from lab.hubble.api import flow_pb2
from lab.hubble.identity import NUMBERS

T = TypeVar("T")


def choice(flag: str, value: str, choices: Mapping[str, T]) -> T:
    """What a word stands for; InputError lists the words there are."""
    if value not in choices:
        shown = ", ".join(list(choices)[:12])
        raise InputError(f"invalid --{flag} value {value!r}: want one of {shown}")
    return choices[value]


def event_type(value: str) -> flow_pb2.EventTypeFilter:
    """TYPE[:SUBTYPE], each a name or a number."""
    name, colon, sub = value.partition(":")
    kind = codes.MESSAGE_TYPES.get(name, _number(name))
    if kind is None:
        known = ", ".join(codes.MESSAGE_TYPES)
        raise InputError(f"invalid --type {name!r}: want a number or one of {known}")
    if not colon:
        return flow_pb2.EventTypeFilter(type=kind)
    subtype = _number(sub)
    if kind == codes.TRACE and sub in codes.OBSERVATION_POINTS:
        subtype = codes.OBSERVATION_POINTS.index(sub)
    if subtype is None:
        known = ", ".join(codes.OBSERVATION_POINTS)
        raise InputError(f"invalid subtype {sub!r} of --type {name}: want a number or {known}")
    return flow_pb2.EventTypeFilter(type=kind, match_sub_type=True, sub_type=subtype)


def tcp_flags(value: str) -> flow_pb2.TCPFlags:
    """Flags by name, joined by commas: all of them must be set."""
    flags = flow_pb2.TCPFlags()
    known = [name for name, _ in codes.TCP_FLAGS]
    for name in value.upper().split(","):
        if name not in known:
            raise InputError(f"unknown TCP flag {name!r}: want {', '.join(known)}")
        setattr(flags, name, True)
    return flags


def workload(value: str) -> flow_pb2.Workload:
    """ "Kind/name" or just the name."""
    kind, slash, name = value.partition("/")
    return flow_pb2.Workload(kind=kind, name=name) if slash else flow_pb2.Workload(name=value)


def identity(value: str) -> int:
    """A number, or the name of a reserved identity."""
    number = NUMBERS.get(value, _number(value))
    if number is None:
        known = ", ".join(NUMBERS)
        raise InputError(f"invalid security identity {value!r}: want a number or one of {known}")
    return number


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and int(text) < 1 << 31 else None
