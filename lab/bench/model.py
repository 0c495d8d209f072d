"""What a benchmark says: rows of one table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

ROUNDS = 5
"""Single measurements swing on a shared machine: the median of five, taken in turns, does not."""


@dataclass(frozen=True)
class Row:
    """One measurement and what it is held against.

    `ratio` is ours divided by the other's. `target` is the ratio aimed at, or without an
    other, the value; `less_is_better` says on which side of it is good.
    """

    name: str
    unit: str
    ours: float
    other: float | None
    other_name: str
    target: float
    less_is_better: bool = True

    @property
    def ratio(self) -> float | None:
        return None if not self.other else self.ours / self.other

    @property
    def reached(self) -> bool:
        value = self.ours if self.ratio is None else self.ratio
        return value <= self.target if self.less_is_better else value >= self.target


@dataclass(frozen=True)
class Benchmark:
    """A name, what it measures in a line, and the function that yields its rows."""

    name: str
    what: str
    measure: Callable[[int], Iterator[Row]]


def in_turns(rounds: int, *measures: Callable[[], float]) -> Sequence[float]:
    """The median of each measure; they take turns, so that what disturbs one disturbs all."""
    taken = [[measure() for measure in measures] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]
