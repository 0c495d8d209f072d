"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """How it stands: `ABSENT` stops the lab, `REDUCED` costs a feature."""

    GOOD = "ok"
    REDUCED = "without"
    ABSENT = "absent"


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it stands, what was seen or what the absence costs."""

    group: str
    name: str
    state: State
    detail: str = ""


def found(group: str, name: str, present: bool, *, seen: str = "", cost: str = "") -> Finding:
    """A finding of something optional (with a cost) or needed (without one)."""
    if present:
        return Finding(group, name, State.GOOD, seen)
    return Finding(group, name, State.REDUCED if cost else State.ABSENT, cost or seen)
