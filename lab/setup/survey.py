"""What this machine lacks for a goal: looking only, changing nothing."""

from __future__ import annotations

import os

from lab.setup import environment
from lab.setup.machine import distribution
from lab.setup.packages import Package, needed


class Lacking:
    """The packages that are absent, whether the Python environment has to be filled, and whether
    an earlier set-up was cut short."""

    __slots__ = ("packages", "python", "test", "unfinished")

    def __init__(
        self,
        packages: tuple[Package, ...] = (),
        *,
        python: bool = False,
        unfinished: bool = False,
        test: bool = False,
    ) -> None:
        self.packages = packages
        self.python = python
        self.unfinished = unfinished
        self.test = test

    def __bool__(self) -> bool:
        return bool(self.packages) or self.python or self.unfinished


def survey(*, test: bool) -> Lacking:
    """Look at this machine."""
    wanted = needed(test=test, family=distribution().family)
    absent = tuple(package for package in wanted if not package.present())
    return Lacking(
        absent,
        python=not environment.filled_for(test=test),
        unfinished=os.path.exists(environment.UNFINISHED),
        test=test,
    )
