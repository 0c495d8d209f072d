"""Rows: ratios, targets, and the table they make."""

from __future__ import annotations

import pytest

from lab.bench.model import Row, in_turns
from lab.cli.bench import _table


@pytest.mark.parametrize(
    ("ours", "other", "target", "less", "reached"),
    [
        (3.0, 10.0, 0.3, True, True),
        (3.1, 10.0, 0.3, True, False),
        (9.5, 10.0, 0.95, False, True),
        (9.4, 10.0, 0.95, False, False),
        (499.0, None, 500.0, True, True),
        (501.0, None, 500.0, True, False),
    ],
)
def test_a_target_is_a_ratio_where_there_is_another(
    ours: float, other: float | None, target: float, less: bool, reached: bool
) -> None:
    row = Row("x", "s", ours, other, "", target, less_is_better=less)
    assert row.reached is reached


def test_what_was_measured_in_turns_is_compared_turn_by_turn() -> None:
    """The machine became twice as slow on the way: of ours most turns came after that."""
    ours, other = [99.0, 49.0, 48.0], [100.0, 100.0, 50.0]
    row = Row.of_turns("packets", "/s", ours, other, "bare path", 0.95)
    assert (row.ours, row.other, row.ratio, row.reached) == (49.0, 100.0, 0.96, True)


def test_measures_take_turns() -> None:
    calls: list[str] = []
    first = iter([5.0, 1.0, 3.0])

    def one() -> float:
        calls.append("one")
        return next(first)

    def two() -> float:
        calls.append("two")
        return 7.0

    assert in_turns(3, one, two) == [(5.0, 1.0, 3.0), (7.0, 7.0, 7.0)]
    assert calls == ["one", "two"] * 3


def test_the_table_lines_up() -> None:
    rows = [
        Row("first HTTP 200", "s", 2.5, 8.0, "IPMininet + FRR", 0.3),
        Row("packets", "/s", 90_000, 100_000, "bare path", 1.1, less_is_better=False),
        Row("memory", "MiB", 378, None, "", 500),
    ]
    assert list(_table(rows)) == [
        "measured              lab  compared with                   ratio  target",
        "first HTTP 200      2.5 s            8 s  IPMininet + FRR   0.31  missed ≤ 0.3",
        "packets         90,000 /s     100,000 /s  bare path         0.90  missed ≥ 1.1",
        "memory            378 MiB                                         ≤ 500 MiB",
    ]
