"""Text in columns, as Cilium's commands lay it out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MARGIN = 3


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
