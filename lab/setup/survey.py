"""What this machine lacks for a goal: looking only, changing nothing."""

from __future__ import annotations

from lab.setup import environment
from lab.setup.packages import Package, needed


class Lacking:
    """The packages that are absent, and whether the Python environment has to be filled."""

    __slots__ = ("packages", "python", "test")

    def __init__(self, packages: tuple[Package, ...], *, python: bool, test: bool) -> None:
        self.packages = packages
        self.python = python
        self.test = test

    def __bool__(self) -> bool:
        return bool(self.packages) or self.python


def survey(*, test: bool) -> Lacking:
    """Look at this machine."""
    absent = tuple(package for package in needed(test=test) if not package.present())
    return Lacking(absent, python=not environment.filled_for(test=test), test=test)
