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

    `ratio` is ours divided by the other's: of those measured in turns the median over the turns.
    `target` is the ratio aimed at, or without an other, the value; `less_is_better` says on which
    side of it is good.
    """

    name: str
    unit: str
    ours: float
    other: float | None
    other_name: str
    target: float
    less_is_better: bool = True
    by_turns: float | None = None

    @classmethod
    def of_turns(
        cls,
        name: str,
        unit: str,
        ours: Sequence[float],
        other: Sequence[float],
        other_name: str,
        target: float,
    ) -> Row:
        """Two columns of `in_turns`, more being better.

        The machine's moods last longer than a turn. Two measures of the same thing differ by a
        tenth in their medians, and by one or two hundredths in the median of the pairs' ratios.
        """
        ratios = [mine / its for mine, its in zip(ours, other, strict=True)]
        medians = statistics.median(ours), statistics.median(other)
        by_turns = statistics.median(ratios)
        return cls(
            name, unit, *medians, other_name, target, less_is_better=False, by_turns=by_turns
        )

    @property
    def ratio(self) -> float | None:
        if self.by_turns is not None:
            return self.by_turns
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


def in_turns(turns: int, *measures: Callable[[], float]) -> Sequence[Sequence[float]]:
    """What each measure gave; they take turns, so that what disturbs one disturbs all."""
    taken = [[measure() for measure in measures] for _ in range(turns)]
    return list(zip(*taken, strict=True))
