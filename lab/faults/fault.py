"""A fault: what breaks, how, and what puts it right again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.faults.acts import Command, Request
from lab.sandbox.place import Place

Undo = Callable[[Place], Sequence["Command | Request"]]
"""Looks at the lab before the fault and tells what will undo it; doing that twice is no harm."""


@dataclass(frozen=True)
class Fault:
    """What breaks, in words; how; and what will put it right."""

    words: str
    strike: Callable[[Place], object]
    undo: Undo
    alters: str
    """What no other fault may alter as long as this one stands: either would undo both."""


def always(*acts: Command | Request) -> Undo:
    """What undoes the fault is known without looking."""
    return lambda _: acts
