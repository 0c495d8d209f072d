"""Each header of the programs can be read on its own: it includes what it needs, and no more than
what lies below it.
"""

from __future__ import annotations

import re

from lab import shell
from lab.bpf.build import FLAGS, SOURCES, include


def test_every_header_stands_on_its_own() -> None:
    # -x c: as a program; its functions have no users then, which is no fault of theirs.
    options = ["-fsyntax-only", "-Wno-unused-function", "-x", "c"]
    headers = [str(path) for path in sorted(SOURCES.glob("*.h"))]
    result = shell.probe(["clang", *FLAGS, include(), *options, *headers], timeout=60)
    assert result.ok, result.err


def included(name: str) -> list[str]:
    return re.findall(r'^#include "(.+)"', (SOURCES / name).read_text(), re.MULTILINE)


def test_the_datapath_lists_its_headers_from_top_to_bottom() -> None:
    source = "datapath.bpf.c"
    listed = re.findall(r"^ \* ((?:\w+\.h +)+)", (SOURCES / source).read_text(), re.MULTILINE)
    row = {name: at for at, names in enumerate(listed) for name in names.split()}
    found = included(source)
    for name in found:  # grows as it goes
        found += [each for each in included(name) if each not in found]
    assert set(row) == set(found)
    ways = [(name, each) for name in row for each in included(name)]
    assert [(name, each) for name, each in ways if row[each] < row[name]] == []
