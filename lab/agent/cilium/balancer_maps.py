"""`bpf lb list --frontends`, `--backends`, `--revnat`, `--source-ranges` and `bpf lb maglev`: each
one of the load balancer's maps, entry by entry, as Cilium's pkg/maps/lbmap writes keys and values.
"""

from __future__ import annotations

import array
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from lab.agent.cilium.balancer import Backend, Key, front, name
from lab.agent.cilium.columns import Rows
from lab.agent.cilium.text import address, protocol, with_port
from lab.bpf.structs import lb4_service, lb4_src_range_key, lb6_key, lb6_src_range_key

SourceRange = lb4_src_range_key | lb6_src_range_key

RANGE_HEAD = 32
"""Bits of a source range's key in front of the address."""


def frontends(services: Iterable[tuple[Key, lb4_service]], *, modern: bool) -> Rows:
    """Slots of frontends: backend id, count[quarantined] (rev_nat_index) [flags flags2]."""
    rows: Rows = [
        (
            name(key, with_protocol=modern) + (f" ({key.backend_slot})" if modern else ""),
            f"{value.backend_id} {value.count}[{value.qcount}] ({value.rev_nat_index}) "
            f"[{value.flags:#x} {value.flags2:#x}]",
        )
        for key, value in sorted(services, key=lambda entry: _slot_order(entry[0]))
    ]
    return [("SERVICE ADDRESS", "BACKEND ID"), *_once_each(rows)]


def backends(entries: Iterable[tuple[Any, Backend]]) -> Rows:
    """Backends by their id."""
    rows = [
        (str(key.id), f"{protocol(value.proto)}://{with_port(value.address, value.port)}")
        for key, value in sorted(entries, key=lambda entry: int(entry[0].id))
    ]
    return [("ID", "BACKEND ADDRESS"), *rows]


def reverse_nat(entries: Iterable[tuple[Any, Any]]) -> Rows:
    """The frontend's address, which replies get, by rev_nat_index."""
    rows = [
        (str(key.id), with_port(value.address, value.port))
        for key, value in sorted(entries, key=lambda entry: int(entry[0].id))
    ]
    return [("ID", "BACKEND ADDRESS"), *rows]


def source_ranges(entries: Iterable[tuple[SourceRange, Any]]) -> Rows:
    """Networks that services admit or refuse, with the rev_nat_index of the service."""
    keys = sorted((key for key, _ in entries), key=lambda key: (key.rev_nat_id, bytes(key)))
    rows = [(f"{_network(key)} ({key.rev_nat_id})", "") for key in keys]
    return [("SOURCE RANGE (REVNAT_ID)", ""), *rows]


def maglev(tables: Mapping[int, bytes]) -> Rows:
    """Lookup tables by rev_nat_index: the backend id for each hash."""
    rows = [(str(index), _places(tables[index])) for index in sorted(tables)]
    return [("SVC ID", "LOOKUP TABLE"), *rows]


def _places(image: bytes) -> str:
    return f"[{' '.join(map(str, array.array('I', image)))}]"


def _network(key: SourceRange) -> str:
    return str(ip_network((address(key.addr), key.prefixlen - RANGE_HEAD), strict=False))


def _slot_order(key: Key) -> tuple[bool, tuple[Any, ...], int]:
    return isinstance(key, lb6_key), front(key), key.backend_slot


def _once_each(rows: Rows) -> Rows:
    """The first cell only where it is another than in the row above."""
    before = [""] + [row[0] for row in rows]
    return [
        ("" if row[0] == above else row[0], *row[1:])
        for row, above in zip(rows, before, strict=False)
    ]
