"""Structs of Python and C are the same, by the object's own type information (BTF)."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from lab import shell
from lab.bench.programs.feeding import feed_config
from lab.bpf import record, structs
from lab.bpf.build import FLAGS, SOURCES, compiled, include
from lab.bpf.config import datapath_config
from lab.bpf.impair import Impairment
from lab.bpf.layout import Layout

LAYOUTS = [
    value
    for value in vars(structs).values()
    if isinstance(value, type) and issubclass(value, Layout) and value is not Layout
] + [datapath_config]


INCLUDES = """
#include "structs.h"
#include "config.h"
#include "events.h"
"""
RECORDS = ("trace_event", "drop_event")


def types_of(target: Path) -> dict[int, Any]:
    dumped = shell.run(["bpftool", "-j", "btf", "dump", "file", str(target)]).json()
    return {entry["id"]: entry for entry in dumped["types"]}


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """Type information of one variable of every struct, from the programs' own headers."""
    folder = tmp_path_factory.mktemp("layouts")
    source, target = folder / "layouts.c", folder / "layouts.o"
    names = [*(kind.__name__ for kind in LAYOUTS), *RECORDS]
    variables = [f"struct {name} v{n};" for n, name in enumerate(names)]
    source.write_text("\n".join([INCLUDES, *variables]))
    shell.run(["clang", *FLAGS, include(), f"-I{SOURCES}", "-c", str(source), "-o", str(target)])
    return types_of(target)


def struct(types: dict[int, Any], name: str) -> Any:
    return next(e for e in types.values() if e["kind"] == "STRUCT" and e["name"] == name)


def members(types: dict[int, Any], entry: Any, base: int = 0) -> list[tuple[str, int]]:
    """Names and byte offsets; the common head of events counts as part of each."""
    found = []
    for member in entry["members"]:
        at = base + member["bits_offset"] // 8
        if member["name"] == "head":
            found += members(types, types[member["type_id"]], at)
        else:
            found.append((member["name"], at))
    return found


def fields(layout: type[Layout]) -> list[tuple[str, int]]:
    return [(field[0], getattr(layout, field[0]).offset) for field in layout._fields_]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_struct_is_the_programs_own(types: dict[int, Any], layout: type[Layout]) -> None:
    entry = struct(types, layout.__name__)
    assert entry["size"] == ctypes.sizeof(layout)
    assert members(types, entry) == fields(layout)


@pytest.mark.parametrize(
    ("program", "name", "layout"),
    [("impair", "impairment", Impairment), ("feed", "feed_config", feed_config)],
)
def test_constants_of_other_programs_are_their_own(
    program: str, name: str, layout: type[Layout]
) -> None:
    types = types_of(compiled(program))
    entry = struct(types, name)
    assert (entry["size"], members(types, entry)) == (ctypes.sizeof(layout), fields(layout))


@pytest.mark.parametrize("name", RECORDS)
def test_reader_finds_the_parts_of_a_record(types: dict[int, Any], name: str) -> None:
    entry = struct(types, name)
    assert entry["size"] == record.LENGTH
    assert members(types, entry) == [
        ("notify", 0),
        ("packet", record.EVENT_HEADER),
        ("time", record.TIME_AT - record.RING_HEADER),
    ]
