"""The pinned maps of a node as its user meets them: with bpftool, and with the cilium command."""

from __future__ import annotations

import array
import ctypes
import os
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from lab import shell
from lab.agent.cilium import maps
from lab.bpf import gc, maglev
from lab.bpf import tables as t
from lab.bpf.codes import Identity
from lab.bpf.ledger import Ledger
from lab.bpf.maps import Map
from lab.bpf.tables import GLOBALS, Table

from .echo import connect, echo
from .wire import LOCAL_VIP, REMOTE_VIP, Place, Wire

TABLES = [each for each in vars(t).values() if isinstance(each, Table)]
OF_MAPS = (t.MAGLEV, t.MAGLEV6)
USED = (
    t.SERVICES, t.BACKENDS, t.REVERSE_NAT, t.IPCACHE, t.ENDPOINTS, t.CT_TCP, t.SNAT, t.METRICS,
)  # fmt: skip
"""Maps that hold something after two connections."""


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """A client has talked through one node to a pod of that node and to one of another."""
    wire = Wire()
    try:
        with echo(wire.pods[0]), echo(wire.pods[1]):
            for vip in (LOCAL_VIP, REMOTE_VIP):
                talk(wire.client, vip)
            yield wire
    finally:
        wire.close()


@pytest.fixture
def node(wire: Wire) -> Place:
    """The node through which the client came."""
    return wire.nodes[0]


def descriptors() -> Counter[str]:
    """What of eBPF this process has open, by kind."""
    paths = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
    return Counter(Path(path).name for path in paths if "bpf" in path or path == str(GLOBALS))


def talk(client: Place, vip: str) -> None:
    with connect(client, vip) as connection:
        connection.sendall(b"hello")
        assert connection.recv(5) == b"hello"


def bpftool(node: Place, verb: str, table: Table) -> Any:
    words = ["bpftool", "-j", "map", verb, "pinned", str(GLOBALS / table.name)]
    return node.run(lambda: shell.run(words)).json()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_map_is_as_wide_as_its_structs(node: Place, table: Table) -> None:
    shown = bpftool(node, "show", table)
    value = 4 if table in OF_MAPS else ctypes.sizeof(table.value)
    assert (shown["bytes_key"], shown["bytes_value"]) == (ctypes.sizeof(table.key), value)
    assert "btf_id" in shown or table in OF_MAPS, "bpftool would print bytes"


@pytest.mark.parametrize("table", USED, ids=lambda table: table.name)
def test_a_dump_names_the_fields(node: Place, table: Table) -> None:
    entry = bpftool(node, "dump", table)[0]["formatted"]
    value = entry["values"][0]["value"] if table.per_cpu else entry["value"]
    for shown, layout in ((entry["key"], table.key), (value, table.value)):
        if isinstance(shown, dict):
            assert list(shown) == [field[0] for field in layout._fields_]
        else:
            assert isinstance(shown, int), "a key that is one number"


@pytest.mark.parametrize(
    ("address", "label", "node"),
    [
        ("10.0.2.5", 1000, "192.168.1.22"),
        ("10.0.1.5", 1000, "0.0.0.0"),
        ("198.51.100.1", Identity.WORLD, "0.0.0.0"),
    ],
)
def test_an_address_is_whose_the_longest_prefix_says(
    wire: Wire, address: str, label: int, node: str
) -> None:
    found = wire.nodes[0].run(lambda: maps.identity(ip_address(address)))
    assert found is not None
    assert (found.sec_label, str(IPv4Address(found.tunnel_endpoint))) == (label, node)


def test_whoever_looks_into_the_maps_leaves_none_of_them_open(wire: Wire) -> None:
    """The agent looks every 15 seconds, for as long as its node is up."""
    places = array.array("I", [1, 2, 3] * (16381 // 3) + [1]).tobytes()

    def looks() -> tuple[dict[int, bytes], Counter[str]]:
        before = descriptors()
        with Map[Any, Any].pinned(t.MAGLEV) as outer:
            maglev.share(outer.fd, {places: [5, 6]})
        found = maps.maglev_tables()
        gc.collect()
        list(maps.flush(t.CT_ANY))
        assert maps.frontends()
        assert maps.identity(ip_address("10.0.1.5"))
        assert len(list(maps.fills({"config": {"ipv6": True}}))) == 6
        return found, descriptors() - before

    assert wire.nodes[0].run(looks) == ({5: places, 6: places}, Counter())


def test_connections_that_are_flushed_are_gone_and_were_not_evicted(wire: Wire) -> None:
    node = wire.nodes[0]

    def flushed() -> tuple[int, dict[str, int], int, int]:
        known = len(list(maps.entries(t.CT_TCP)))
        lost = {path.name: count for path, count in maps.flush(t.CT_TCP, t.SNAT)}
        with Ledger.pinned() as books, Map[Any, Any].pinned(t.CT_TCP) as table:
            found = books.read(table)
        return known, lost, len(found.entries), found.evicted

    known, lost, left, evicted = node.run(flushed)
    assert lost[t.CT_TCP.name] == known > 0
    assert (left, evicted) == (0, 0)
    talk(wire.client, REMOTE_VIP)
    assert node.run(lambda: len(list(maps.entries(t.CT_TCP)))) > 0
