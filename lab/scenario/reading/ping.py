"""What ping tells in its last lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.errors import LabError

_COUNTS = re.compile(r"(\d+) packets transmitted, (\d+) received")


@dataclass(frozen=True)
class Pinged:
    """Echo requests sent and replies received."""

    sent: int
    received: int


def parse(text: str) -> Pinged:
    """Read ping's summary; LabError when there is none (ping itself failed)."""
    match = _COUNTS.search(text)
    if not match:
        raise LabError(f"ping gave no summary:\n  {text.strip() or 'no output at all'}")
    return Pinged(int(match.group(1)), int(match.group(2)))
