"""Ids that connection tracking still knows: an agent that starts must not give them to others."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.bpf.codes import TupleFlag
from lab.bpf.structs import ct_entry


@dataclass(frozen=True)
class LastIds:
    """The highest id of each sort; 0 for none."""

    frontend: int = 0
    backend: int = 0


NOTHING = LastIds()


def last_ids(connections: Iterable[tuple[bytes, bytes]]) -> LastIds:
    """Of keys and values of the connection tables, as they are in the kernel.

    A flow stays with the backend whose id it remembers as long as there is one of that id, and its
    replies get the address of the frontend whose id it has.
    """
    frontend, backend = _bytes_of(ct_entry.rev_nat_index), _bytes_of(ct_entry.rx_bytes)
    highest, highest_backend = 0, 0
    for key, value in connections:
        highest = max(highest, int.from_bytes(value[frontend], sys.byteorder))
        if key[-1] & TupleFlag.SERVICE:
            number = int.from_bytes(value[backend], sys.byteorder)
            highest_backend = max(highest_backend, number)
    return LastIds(highest, highest_backend)


def _bytes_of(field: Any) -> slice:
    return slice(field.offset, field.offset + field.size)
