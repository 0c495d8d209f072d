"""Structs of Python and C are the same, by the object's own type information (BTF)."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from lab import shell
from lab.bpf import structs
from lab.bpf.build import FLAGS, SOURCES, include
from lab.bpf.config import datapath_config
from lab.bpf.layout import Layout

LAYOUTS = [
    value
    for value in vars(structs).values()
    if isinstance(value, type) and issubclass(value, Layout) and value is not Layout
] + [datapath_config]


INCLUDES = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "structs.h"
#include "config.h"
"""


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """Type information of one variable of every struct, from the programs' own headers."""
    folder = tmp_path_factory.mktemp("layouts")
    source, target = folder / "layouts.c", folder / "layouts.o"
    variables = [f"struct {kind.__name__} v{n};" for n, kind in enumerate(LAYOUTS)]
    source.write_text("\n".join([INCLUDES, *variables]))
    shell.run(["clang", *FLAGS, include(), f"-I{SOURCES}", "-c", str(source), "-o", str(target)])
    dumped = shell.run(["bpftool", "-j", "btf", "dump", "file", str(target)]).json()
    return {entry["id"]: entry for entry in dumped["types"]}


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


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_struct_is_the_programs_own(types: dict[int, Any], layout: type[Layout]) -> None:
    entry = struct(types, layout.__name__)
    assert entry["size"] == ctypes.sizeof(layout)
    fields = [(field[0], getattr(layout, field[0]).offset) for field in layout._fields_]
    assert members(types, entry) == fields
