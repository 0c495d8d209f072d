"""The mistakes of an object that agents follow."""

from __future__ import annotations

from collections.abc import Sequence

from lab.errors import InputError


class Refused(InputError):
    """An object that is not heeded, and everything that is wrong with it."""

    def __init__(
        self,
        kind: str,
        name: str,
        problems: Sequence[str],
        *,
        verdict: str = "is not heeded",
        reason: str = "BGPConfigRefused",
    ) -> None:
        self.kind = kind
        self.name = name
        self.problems = tuple(problems)
        self.reason = reason
        """Of the event that tells of it."""
        super().__init__("\n  ".join([f"{kind} {name} {verdict}", *problems]))
