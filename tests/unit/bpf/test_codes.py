"""The numbers in codes.py are those the programs are compiled with."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Any

import pytest

from lab.bpf import codes, config
from lab.bpf.build import SOURCES

TEXT = (SOURCES / "codes.h").read_text()
NAMES = {name: int(value, 0) for name, value in re.findall(r"\b([A-Z][A-Z0-9_]*) = (\d+)", TEXT)}

SAME: list[tuple[str, Any]] = [
    ("SVC_", codes.ServiceFlag),
    ("SVC2_", codes.ServiceFlag2),
    ("SCOPE_", codes.Scope),
    ("RANGE_", codes.SourceRange),
    ("ALGORITHM_", codes.Algorithm),
    ("BACKEND_", codes.BackendState),
    ("ENDPOINT_", codes.EndpointFlag),
    ("TUPLE_", codes.TupleFlag),
    ("CT_", codes.CtFlag),
    ("FAMILY_", codes.Family),
    ("AGGREGATE_", codes.Aggregation),
    ("DIRECTION_", codes.Direction),
    ("REASON_", codes.TraceReason),
    ("NO_BACKEND_", config.NoBackend),
]


@pytest.mark.parametrize(("prefix", "enum"), SAME, ids=[prefix for prefix, _ in SAME])
def test_enumerations_agree(prefix: str, enum: type[IntEnum]) -> None:
    in_c = {n.removeprefix(prefix): v for n, v in NAMES.items() if n.startswith(prefix)}
    assert in_c == {name: member.value for name, member in enum.__members__.items()}


def test_observation_points_agree() -> None:
    assert {point.name: point.value for point in codes.ObsPoint} == {
        name: NAMES[name] for name in (point.name for point in codes.ObsPoint)
    }


def test_drop_reasons_agree_and_have_a_text() -> None:
    in_c = {n.removeprefix("DROP_"): v for n, v in NAMES.items() if n.startswith("DROP_")}
    assert in_c == {r.name: r.value for r in codes.Reason if r is not codes.Reason.FORWARDED}
    assert set(codes.REASON_TEXT) == set(codes.Reason)


def test_unknown_reason_is_its_number() -> None:
    assert codes.reason_text(250) == "250"
    assert codes.reason_text(codes.Reason.NO_SERVICE) == "Service backend not found"


@pytest.mark.parametrize(
    ("prefix", "enum"), [("IDENTITY_", codes.Identity), ("EVENT_", codes.EventType)]
)
def test_numbers_that_the_programs_use_are_among_the_readers(
    prefix: str, enum: type[IntEnum]
) -> None:
    in_c = {n.removeprefix(prefix): v for n, v in NAMES.items() if n.startswith(prefix)}
    assert in_c.items() <= {name: member.value for name, member in enum.__members__.items()}.items()
