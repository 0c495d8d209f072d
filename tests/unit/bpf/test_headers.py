"""Each header of the programs can be read on its own: it includes what it needs."""

from __future__ import annotations

from lab import shell
from lab.bpf.build import FLAGS, SOURCES, include


def test_every_header_stands_on_its_own() -> None:
    # -x c: as a program; its functions have no users then, which is no fault of theirs.
    options = ["-fsyntax-only", "-Wno-unused-function", "-x", "c"]
    headers = [str(path) for path in sorted(SOURCES.glob("*.h"))]
    result = shell.probe(["clang", *FLAGS, include(), *options, *headers], timeout=60)
    assert result.ok, result.err
