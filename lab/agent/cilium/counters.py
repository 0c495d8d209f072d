"""`bpf metrics list`: packets by what became of them."""

from __future__ import annotations

from collections.abc import Iterable

from lab.agent.cilium.columns import columns
from lab.bpf.codes import Direction, reason_text
from lab.bpf.structs import metrics_key, metrics_value

DIRECTION = 3
"""The low two bits of `dir`."""


def metrics_list(entries: Iterable[tuple[metrics_key, metrics_value]]) -> list[str]:
    """One line a reason and direction, over all processors."""
    rows = sorted(
        (
            reason_text(key.reason),
            Direction(key.dir & DIRECTION).name,
            str(value.count),
            str(value.bytes),
        )
        for key, value in entries
        if value.count
    )
    return columns([("REASON", "DIRECTION", "PACKETS", "BYTES"), *rows])
