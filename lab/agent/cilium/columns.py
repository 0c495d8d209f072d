"""Listings, as Cilium's commands lay them out: rows of cells, the first of them the header."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MARGIN = 3

Rows = list[tuple[str, ...]]


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines whose cells are as wide as the widest of their column, and a margin."""
    table = [list(row) for row in rows]
    count = max((len(row) for row in table), default=0)
    padded = [row + [""] * (count - len(row)) for row in table]
    widths = [max(len(row[n]) for row in padded) + MARGIN for n in range(count - 1)]
    return [
        "".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in padded
    ]


def grouped(rows: Iterable[Sequence[str]]) -> dict[str, list[str]]:
    """What a listing of two columns says, as Cilium writes it in JSON: by the first cell, which is
    empty where it is that of the row above.
    """
    found: dict[str, list[str]] = {}
    name = ""
    for first, second in list(rows)[1:]:
        name = first or name
        found.setdefault(name, []).append(second)
    return found
