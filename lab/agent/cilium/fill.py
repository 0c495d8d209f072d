"""The end of `status --verbose`: how full the flow tables are.

Cilium lists its maps' names and sizes there; entries and evictions are this lab's addition.
"""

from __future__ import annotations

from collections.abc import Iterable

from lab.agent.cilium.columns import columns
from lab.bpf import tables

Row = tuple[str, int, int, int]
"""Name, room, entries, and how many were evicted since the table was made."""

TABLES = (
    ("TCP connection tracking", tables.CT_TCP, 4),
    ("Non-TCP connection tracking", tables.CT_ANY, 4),
    ("NAT", tables.SNAT, 4),
    ("IPv6 TCP connection tracking", tables.CT_TCP6, 6),
    ("IPv6 non-TCP connection tracking", tables.CT_ANY6, 6),
    ("IPv6 NAT", tables.SNAT6, 6),
)


def bpf_maps(rows: Iterable[Row]) -> list[str]:
    """One line a table."""
    texts = [(name, *(str(number) for number in numbers)) for name, *numbers in rows]
    table = columns([("Name", "Size", "Entries", "Evicted"), *texts])
    return ["BPF Maps:", *(f"  {line}" for line in table)]
