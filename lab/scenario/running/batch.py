"""Several scenarios, one after the other or side by side, once or again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from lab.scenario.telling.outcome import ScenarioResult

LONGEST_NAME = 30
"""Characters of a lab's name."""


@dataclass(frozen=True)
class Turn:
    """One run of one scenario in a lab of its own."""

    scenario: str
    lab: str


def turns(
    names: Sequence[str], *, repeat: int, lab: str | None, jobs: int, shuffle: int | None = None
) -> list[Turn]:
    """All runs in order, or in the one that the seed `shuffle` makes of them, each round another.

    Labs that may meet get names of their own.

    The lab is named after its scenario unless a name is given. With several runs under one given
    name, or side by side, a number makes each name its own.
    """
    dice = Random(shuffle)
    rounds = [list(names) for _ in range(repeat)]
    if shuffle is not None:
        for each in rounds:
            dice.shuffle(each)
    planned = [name for each in rounds for name in each]
    return [
        Turn(name, _lab_name(lab or name, number, alone=jobs == 1))
        for number, name in enumerate(planned, 1)
    ]


def _lab_name(name: str, number: int, *, alone: bool) -> str:
    if alone:
        return name[:LONGEST_NAME].rstrip("-")
    suffix = f"-{number}"
    return name[: LONGEST_NAME - len(suffix)].rstrip("-") + suffix


def play(
    planned: Sequence[Turn], run: Callable[[Turn], ScenarioResult], *, jobs: int
) -> Iterator[ScenarioResult]:
    """Results as the runs end; at most `jobs` of them go on at the same time.

    `run` is called in threads when `jobs` is more than one.
    """
    if jobs == 1:
        yield from map(run, planned)
        return
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(run, planned)
