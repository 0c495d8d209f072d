"""The pinned maps of the node that the caller stands in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from lab.agent.cilium import balancer, fill
from lab.bpf import maglev, tables
from lab.bpf.layout import Address
from lab.bpf.ledger import Ledger
from lab.bpf.maps import Map, PerCpuMap
from lab.bpf.object_info import map_info
from lab.bpf.structs import ipcache_key, remote_endpoint_info

CONNECTIONS = (tables.CT_TCP, tables.CT_ANY, tables.CT_TCP6, tables.CT_ANY6)
TRANSLATIONS = (tables.SNAT, tables.SNAT6)

Entries = Iterable[tuple[Any, Any]]


def entries(*wanted: tables.Table) -> Iterator[tuple[Any, Any]]:
    """All entries of some maps, one map after the other."""
    for table in wanted:
        kind = PerCpuMap if table.per_cpu else Map
        with kind[Any, Any].pinned(table) as opened:
            yield from opened.items()


def frontends() -> list[balancer.Listed]:
    """The services of both address families."""
    return [
        *_listed(tables.SERVICES, tables.BACKENDS),
        *_listed(tables.SERVICES6, tables.BACKENDS6),
    ]


def _listed(services: tables.Table, backends: tables.Table) -> list[balancer.Listed]:
    by_id = {key.id: value for key, value in entries(backends)}
    return balancer.listing(dict(entries(services)), by_id)


def maglev_tables() -> dict[int, bytes]:
    """The lookup tables of services by rev_nat_index, each u32[M]."""
    found: dict[int, bytes] = {}
    for table in (tables.MAGLEV, tables.MAGLEV6):
        with Map[Any, Any].pinned(table) as outer:
            for key, image in maglev.read(outer).items():
                found[tables.RevNatId.parse(key).id] = image
    return found


def identity(of: Address) -> remote_endpoint_info | None:
    """Who is behind an address: what the longest prefix says that it is in."""
    with Map[ipcache_key, remote_endpoint_info].pinned(tables.IPCACHE) as opened:
        return opened.lookup(ipcache_key.of(ip_network(of)))


def fills(said: Mapping[str, Any]) -> Iterator[fill.Row]:
    """The tables of the address families that the node has, as they are at this moment."""
    with Ledger.pinned() as books:
        for name, table, version in fill.TABLES:
            if version == 4 or said["config"].get("ipv6"):
                with Map[Any, Any].pinned(table) as opened:
                    found = books.read(opened)
                    size = int(map_info(opened.fd).max_entries)
                yield name, size, len(found.entries), found.evicted


def flush(*wanted: tables.Table) -> Iterator[tuple[Path, int]]:
    """Empty flow tables; where each is pinned and how many entries it lost."""
    with Ledger.pinned() as books:
        for table in wanted:
            with Map[Any, Any].pinned(table) as opened:
                keys = [key for key, _ in opened.raw_items()]
                yield tables.GLOBALS / table.name, books.remove(opened, keys)
