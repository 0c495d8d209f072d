"""The agent's side of the pinned maps: what it writes is there, and read back by the next agent."""

from __future__ import annotations

import array
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from lightkube.models.core_v1 import LoadBalancerIngress, LoadBalancerStatus

from lab.agent.maps import NodeMaps
from lab.agent.profile import profile
from lab.agent.services.entries import Entries
from lab.agent.services.model import Balanced
from lab.agent.services.remembered import NOTHING, LastIds
from lab.agent.services.table import Operation, Table
from lab.agent.services.translate import Place, balance
from lab.bpf import maglev, structs
from lab.bpf import tables as t
from lab.bpf.codes import TupleFlag
from lab.bpf.maps import Map
from lab.errors import BpfError
from tests.unit.agent.objects import endpoint, endpoint_slice, service

from .wire import Place as Machine
from .wire import Wire

MODERN = profile("modern", {})
NODE = Place("k8s-worker1", (IPv4Address("192.168.1.21"), IPv6Address("fd00:1::21")), MODERN)
WEB = "default/web1-lb"


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


@pytest.fixture
def node(wire: Wire) -> Machine:
    """A node that serves nothing."""
    node = wire.nodes[0]
    node.run(empty)
    return node


@contextmanager
def opened(*versions: int) -> Iterator[NodeMaps]:
    """An agent's maps, closed again; an agent itself has them for life."""
    maps = NodeMaps(versions or (4, 6))
    try:
        yield maps
    finally:
        for each in maps._maps.values():
            each.close()


def empty() -> None:
    with opened() as maps:
        maps.carry_out([Operation(name, key, None) for name, key in maps.services()])


def web() -> tuple[Balanced, ...]:
    """A service of both families that has entries in every map of the load balancer."""
    made = service(
        clusterIPs=["10.96.0.5", "fd00:96::5"],
        ipFamilies=["IPv4", "IPv6"],
        sessionAffinity="ClientIP",
        loadBalancerSourceRanges=["192.168.10.0/24", "fd00:192::/64"],
    )
    assert made.status is not None
    ingress = [LoadBalancerIngress(ip=ip) for ip in ("172.16.10.0", "fd00:172::")]
    made.status.loadBalancer = LoadBalancerStatus(ingress=ingress)
    six = endpoint_slice(endpoint("fd00:10:0:1::5"), endpoint("fd00:10:0:2::5"))
    six.addressType = "IPv6"
    four = endpoint_slice(endpoint("10.0.1.5"), endpoint("10.0.2.5"))
    return balance(made, [four, six], NODE)


def held_by(operations: list[Operation]) -> Entries:
    return {(each.map, each.key): each.value or b"" for each in operations}


def test_an_agent_finds_what_the_one_before_it_wrote(node: Machine) -> None:
    written = Table(MODERN, {}).update({WEB: web()})

    def story() -> tuple[Entries, list[Operation], Entries]:
        with opened() as maps:
            maps.carry_out(written)
        with opened() as maps:
            found, again = maps.services(), Table(MODERN, maps.services())
            nothing = again.update({WEB: web()}, complete=True)
            maps.carry_out(again.update({WEB: ()}))
            return found, nothing, maps.services()

    found, nothing, left = node.run(story)
    assert found == held_by(written)
    assert len({name for name, _ in found}) == 11, "each map of both families, one for both"
    assert (nothing, left) == ([], {})


def test_frontends_with_the_same_backends_share_one_table(node: Machine) -> None:
    """There may be thousands, and each table has 64 KiB."""

    def story() -> list[tuple[int, int]]:
        with opened() as maps:
            maps.carry_out(Table(MODERN, {}).update({WEB: web()}))
        counted = []
        for table in (t.MAGLEV, t.MAGLEV6):
            with Map[Any, Any].pinned(table) as outer:
                entries = outer.raw_items()
            counted.append((len(entries), len({number for _, number in entries})))
        return counted

    assert node.run(story) == [(3, 1), (3, 1)]


@pytest.mark.parametrize("batches", [True, False], ids=["at once", "before Linux 5.15"])
def test_tables_are_given_to_all_their_frontends_however_many(
    node: Machine, monkeypatch: pytest.MonkeyPatch, batches: bool
) -> None:
    tables = [array.array("I", [n] * MODERN.maglev_size).tobytes() for n in range(5)]
    users = {table: [10 * n + 1, 10 * n + 2] for n, table in enumerate(tables)}
    monkeypatch.setattr(maglev, "TABLES", 2)
    if not batches:
        monkeypatch.setattr(maglev, "raw", lambda *_: -524)

    def story() -> dict[bytes, bytes]:
        with Map[Any, Any].pinned(t.MAGLEV) as outer:
            maglev.share(outer.fd, users)
            return maglev.read(outer)

    given = {bytes(t.RevNatId(n)): table for table, indexes in users.items() for n in indexes}
    assert node.run(story) == given


def test_a_node_of_one_family_leaves_the_other_s_maps_alone(node: Machine) -> None:
    written = Table(MODERN, {}).update({WEB: web()})

    def story() -> Entries:
        with opened() as maps:
            maps.carry_out(written)
        with opened(4) as maps:
            return maps.services()

    found = node.run(story)
    assert found == {at: value for at, value in held_by(written).items() if "lb6" not in at[0]}


def test_flows_of_every_sort_are_remembered(node: Machine) -> None:
    def story() -> list[LastIds]:
        with opened() as maps:
            seen = [maps.remembered()]
            for number, table in enumerate((t.CT_TCP, t.CT_ANY, t.CT_TCP6, t.CT_ANY6), 1):
                with Map[Any, Any].pinned(table) as flows:
                    key = table.key(flags=TupleFlag.SERVICE)
                    flows.update(key, structs.ct_entry(rev_nat_index=number, rx_bytes=10 * number))
                seen.append(maps.remembered())
            return seen

    assert node.run(story) == [NOTHING, *(LastIds(number, 10 * number) for number in range(1, 5))]


def test_what_comes_after_a_write_that_fails_is_not_done(node: Machine) -> None:
    """A frontend must not count backends that found no room."""
    written = Table(MODERN, {}).update({WEB: web()})
    number = next(n for n, each in enumerate(written) if each.map == t.SERVICES.name)
    broken = Operation(t.MAGLEV.name, b"\1\0", b"")

    def story() -> Entries:
        with opened() as maps:
            with pytest.raises(BpfError, match="Maglev"):
                maps.carry_out([*written[:number], broken, *written[number:]])
            return maps.services()

    assert node.run(story) == held_by(written[:number])
