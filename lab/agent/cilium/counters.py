"""`bpf metrics list`: packets by what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from lab.agent.cilium.columns import Rows
from lab.bpf.codes import Direction, reason_text
from lab.bpf.structs import metrics_key, metrics_value

DIRECTION = 3
"""The low two bits of `dir`."""


@dataclass(frozen=True, order=True)
class Counter:
    """Packets and bytes of one reason and direction, over all processors."""

    reason: str
    direction: str
    packets: int
    bytes: int


def counters(entries: Iterable[tuple[metrics_key, metrics_value]]) -> list[Counter]:
    """What was counted at all, by the texts of the reasons."""
    return sorted(
        Counter(
            reason_text(key.reason),
            Direction(key.dir & DIRECTION).name.lower(),
            value.count,
            value.bytes,
        )
        for key, value in entries
        if value.count
    )


def metrics_list(found: Sequence[Counter]) -> Rows:
    """One line a reason and direction."""
    rows = [(each.reason, each.direction.upper(), *map(str, astuple(each)[2:])) for each in found]
    return [("REASON", "DIRECTION", "PACKETS", "BYTES"), *rows]
