"""Garbage collection of flows: connections whose time is over, and translations without one.

The tables evict by themselves when they are full; this keeps their contents true, so that what is
listed is what is alive and a port is free as soon as its flow has ended. Works on the raw bytes
of entries: a pass over 65,536 connections takes a fraction of a second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.bpf.codes import TupleFlag
from lab.bpf.ledger import Entry, Ledger, Reading
from lab.bpf.maps import Map
from lab.bpf.object_info import map_info
from lab.bpf.structs import ct_entry, ipv4_nat_entry
from lab.bpf.tables import CT_ANY, CT_ANY6, CT_TCP, CT_TCP6, GLOBALS, SNAT, SNAT6, Table

_LIFETIME = slice(ct_entry.lifetime.offset, ct_entry.lifetime.offset + ct_entry.lifetime.size)
_TARGET = ipv4_nat_entry.to_addr.offset
"""Where a translation has its address, in both families."""
FAMILIES = ((CT_TCP, CT_ANY, SNAT, 4), (CT_TCP6, CT_ANY6, SNAT6, 16))
"""Connection tables and translation table of a family, and bytes of its addresses."""


@dataclass(frozen=True)
class Fill:
    """A flow table at the end of a pass. `evicted`: since it was made, at least."""

    size: int
    entries: int
    evicted: int


@dataclass(frozen=True)
class Collected:
    """What one pass removed, and what it left, by the tables' names."""

    connections: int
    translations: int
    tables: Mapping[str, Fill]


def collect(root: Path = GLOBALS) -> Collected:
    """One pass over all flow tables of the node that this process stands on."""
    passes = []
    with Ledger.pinned(root) as books:
        for tcp, other, nat, width in FAMILIES:
            with _open(tcp, root) as a, _open(other, root) as b, _open(nat, root) as translated:
                passes.append(sweep(books, (a, b), translated, width))
    tables = {name: fill for each in passes for name, fill in each.tables.items()}
    return Collected(
        sum(each.connections for each in passes), sum(each.translations for each in passes), tables
    )


def sweep(
    books: Ledger, tables: Sequence[Map[Any, Any]], nat: Map[Any, Any], width: int
) -> Collected:
    """A pass over the tables of one family: connections, then translations without one.

    Translations are read before connections: the programs enter a connection first, so every
    translation seen here had one. Ports are used again: while a full table is read and cleaned a
    new flow may begin under the key of one that ended, so each entry is looked at once more
    before it goes.
    """
    now = int(time.clock_gettime(time.CLOCK_MONOTONIC))
    translated = books.read(nat)
    alive: set[bytes] = set()
    connections, fills = 0, {}
    for table in tables:
        found = books.read(table)
        over = expired(found.entries, now)
        alive.update(key for key, _ in found.entries if key not in over)
        connections += books.remove(table, over, partial(_ended, table, now))
        fills[table.table.name] = _fill(table, found, over)
    values = dict(translated.entries)

    def lost_still(key: bytes) -> bool:
        names = _connections(key, values[key], width)
        return all(_ended(table, now, name) for name in names for table in tables)

    lost = orphans(translated.entries, alive, width)
    translations = books.remove(nat, lost, lost_still)
    fills[nat.table.name] = _fill(nat, translated, lost)
    return Collected(connections, translations, fills)


def _ended(table: Map[Any, Any], now: int, connection: bytes) -> bool:
    value = table.lookup_raw(connection)
    return value is None or _is_over(value, now)


def _is_over(connection: bytes, now: int) -> bool:
    return int.from_bytes(connection[_LIFETIME], sys.byteorder) < now


def _fill(table: Map[Any, Any], found: Reading, gone: Collection[bytes]) -> Fill:
    left = len(found.entries) - len(gone)
    return Fill(int(map_info(table.fd).max_entries), left, found.evicted)


def expired(entries: Iterable[Entry], now: int) -> set[bytes]:
    """Keys of connections whose lifetime is over at `now` (seconds of CLOCK_MONOTONIC)."""
    return {key for key, value in entries if _is_over(value, now)}


def orphans(entries: Iterable[Entry], alive: Collection[bytes], width: int) -> set[bytes]:
    """Keys of translations that belong to none of the connections `alive`."""
    return {
        key
        for key, value in entries
        if not any(name in alive for name in _connections(key, value, width))
    }


def _connections(key: bytes, value: bytes, width: int) -> Iterator[bytes]:
    """The connection that a translation may belong to, as the connection tables name it.

    A NAT key is daddr, saddr, dport, sport, proto, flags as in the header; a connection is
    opener, peer, peer's port, opener's port, proto, flags.
    """
    daddr, saddr = key[:width], key[width : 2 * width]
    dport, sport = key[2 * width : 2 * width + 2], key[2 * width + 2 : 2 * width + 4]
    proto = key[2 * width + 4 : 2 * width + 5]
    if key[-1] == TupleFlag.IN:
        # A reply's entry holds the opener's address in its value.
        end = _TARGET + width
        opener, port = value[_TARGET:end], value[end : end + 2]
        yield opener + saddr + sport + port + proto + bytes([TupleFlag.OUT])
        return
    yield saddr + daddr + dport + sport + proto + bytes([TupleFlag.OUT])
    # Direct server return: what is translated are the replies of a connection that came in, to a
    # pod, or (entered where it leaves, as all of the node's) to the node itself.
    for flags in (TupleFlag.IN, TupleFlag.OUT):
        yield daddr + saddr + sport + dport + proto + bytes([flags])


def _open(table: Table, root: Path) -> Map[Any, Any]:
    return Map.pinned(table, root)
