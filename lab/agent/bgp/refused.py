"""The mistake of an object that configures BGP."""

from __future__ import annotations

from collections.abc import Sequence

from lab.errors import InputError


class Refused(InputError):
    """An object that is not heeded, and everything that is wrong with it."""

    def __init__(self, kind: str, name: str, problems: Sequence[str]) -> None:
        self.kind = kind
        self.name = name
        self.problems = tuple(problems)
        super().__init__("\n  ".join([f"{kind} {name} is not heeded", *problems]))
