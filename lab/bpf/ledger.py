"""Evictions, which the kernel tells nobody: books of what comes into a flow table and goes.

A full table throws out what was used least recently. What was entered, was not removed and is not
there was evicted. The programs count what they enter (`src/entering.h`); user space goes by
`Ledger.add` and `Ledger.remove`.

While the table changes under the reader, the number errs to one side only. Entries are counted
before they are walked over and removals after it, so whatever comes or goes meanwhile makes it
smaller, and the next quiet look has it exact. A process that is killed while it removes leaves it
at most `CHUNK` too small.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.bpf.maps import Map, PerCpuMap
from lab.bpf.structs import flow_ledger
from lab.bpf.tables import (
    CT_ANY,
    CT_ANY6,
    CT_TCP,
    CT_TCP6,
    FLOWS_ENTERED,
    FLOWS_LEDGER,
    GLOBALS,
    SNAT,
    SNAT6,
    Count,
    Index,
    Table,
)

FLOW_TABLES = (CT_TCP, CT_ANY, CT_TCP6, CT_ANY6, SNAT, SNAT6)
"""In the order of enum flow_table of `src/entering.h`."""

CHUNK = 256
"""Removals written down at once, before they are done."""

Entry = tuple[bytes, bytes]
"""Key and value as they are in the kernel."""


@dataclass(frozen=True)
class Reading:
    """A flow table at one look: all that is in it, and how many were evicted so far, at least."""

    entries: list[Entry]
    evicted: int


class Ledger:
    """The books of one node's flow tables."""

    def __init__(
        self, entered: Map[Index, Count], noted: Map[Index, flow_ledger], lock: int
    ) -> None:
        """`lock`: a descriptor that stands for the node, so that one process writes at a time."""
        self._entered = entered
        self._noted = noted
        self._lock = lock

    @classmethod
    def pinned(cls, root: Path = GLOBALS) -> Ledger:
        """The books of the node that this process stands on."""
        entered = PerCpuMap[Any, Any].pinned(FLOWS_ENTERED, root)
        return cls(entered, Map.pinned(FLOWS_LEDGER, root), os.open(root, os.O_RDONLY))

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._entered.close()
        self._noted.close()
        os.close(self._lock)

    def read(self, table: Map[Any, Any]) -> Reading:
        """Everything in a flow table, and what is missing from it."""
        index = _index(table.table)
        come = self._came(index)
        entries = table.raw_items()
        return Reading(entries, max(0, come - self._of(index).removed - len(entries)))

    def add(self, table: Map[Any, Any], entries: Sequence[Entry]) -> None:
        """Enter what is not there yet."""
        table.update_raw(entries)
        self._note(_index(table.table), added=len(entries))

    def remove(
        self,
        table: Map[Any, Any],
        keys: Collection[bytes],
        still: Callable[[bytes], bool] = lambda _: True,
    ) -> int:
        """Remove entries; how many of them were there.

        `still` is asked of each just before: what was true when the table was read is a second old.
        """
        index, ordered, total = _index(table.table), list(keys), 0
        for at in range(0, len(ordered), CHUNK):
            part = [key for key in ordered[at : at + CHUNK] if still(key)]
            self._note(index, removed=len(part))
            found = table.delete_raw(part)
            if found != len(part):
                self._note(index, removed=found - len(part))
            total += found
        return total

    def _came(self, index: Index) -> int:
        """Entries that ever came in."""
        programs = self._entered.lookup(index) or Count()
        return int(self._of(index).added + programs.number)

    def _of(self, index: Index) -> flow_ledger:
        return self._noted.lookup(index) or flow_ledger()

    def _note(self, index: Index, *, added: int = 0, removed: int = 0) -> None:
        with _held(self._lock):
            books = self._of(index)
            books.added += added
            books.removed += removed
            self._noted.update(index, books)


def _index(table: Table) -> Index:
    return Index(FLOW_TABLES.index(table))


@contextmanager
def _held(lock: int) -> Iterator[None]:
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)
