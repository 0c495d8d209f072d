"""Maglev: which backend a flow has is the same on every node, and over time."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from scapy.layers.inet import TCP

from lab.bpf import tables as t
from lab.bpf.codes import Algorithm, ServiceFlag
from lab.bpf.maglev import read, share

from .family import BOTH, IPV4, IPV6, Family
from .node import DUAL
from .packets import datagram, request, segment
from .rig import EXPOSED, REDIRECT, Backend, Rig


def five(family: Family) -> list[Backend]:
    return [Backend(family.pod, port) for port in range(1, 6)]


@BOTH
def test_maglev_chooses_by_client_not_by_chance(
    dual: Rig, family: Family, make_rig: Callable[..., Rig]
) -> None:
    from_two_nodes = []
    for node in (dual, make_rig(DUAL)):
        index = node.service(family.vip, 80, five(family), algorithm=Algorithm.MAGLEV)
        node.maglev(index, [1 + n % 5 for n in range(DUAL.maglev_size)], ipv6=family is IPV6)
        from_two_nodes.append(
            [
                node.run("from_netdev", request(family.client, family.vip, sport=p))
                .frame[TCP]
                .dport
                for p in range(40000, 40060)
            ]
        )
    assert from_two_nodes[0] == from_two_nodes[1]
    assert set(from_two_nodes[0]) == {1, 2, 3, 4, 5}


def alike(family: Family) -> dict[str, list[tuple[str, int, int, int]]]:
    """Flows that one thing tells apart: client, its port, the service's port, protocol."""
    near, client = family.near, family.client
    words = [1 << (32 * word) for word in range(1 if family is IPV4 else 4)]
    flows = {
        f"client's word {at}": [(near(client, n * word), 40000, 80, 6) for n in range(12)]
        for at, word in enumerate(words)
    }
    flows["client's port"] = [(client, 40000 + n, 80, 6) for n in range(12)]
    flows["service's port"] = [(client, 40000, 80 + n, 6) for n in range(12)]
    return flows


@BOTH
def test_maglev_chooses_by_all_that_tells_flows_apart(dual: Rig, family: Family) -> None:
    """Or all of a network's clients, or of a proxy's connections, would meet in one backend."""
    for port, proto in product(range(80, 92), (6, 17)):
        index = dual.service(
            family.vip, port, [Backend(family.pod, n) for n in range(1, 6)],
            proto=proto, algorithm=Algorithm.MAGLEV,
        )  # fmt: skip
        first = 1 if proto == 6 else 6
        table = [first + n % 5 for n in range(DUAL.maglev_size)]
        dual.maglev(index, table, ipv6=family is IPV6)

    def chosen(src: str, sport: int, dport: int, proto: int) -> int:
        kind = request if proto == 6 else datagram
        sent = kind(src, family.vip, sport=sport, dport=dport)
        return int(dual.run("from_netdev", sent).frame[2].dport)

    flows = alike(family)
    spread = {name: len({chosen(*flow) for flow in each}) for name, each in flows.items()}
    assert all(backends > 1 for backends in spread.values()), spread
    over_tcp = [chosen(*flow) for flow in flows["client's port"]]
    assert [chosen(*flow[:3], 17) for flow in flows["client's port"]] != over_tcp


@BOTH
def test_maglev_with_affinity_leaves_the_port_out(dual: Rig, family: Family) -> None:
    flags = EXPOSED | ServiceFlag.AFFINITY
    index = dual.service(
        family.vip, 80, five(family), flags=flags, affinity=1, algorithm=Algorithm.MAGLEV
    )
    dual.maglev(index, [1 + n % 5 for n in range(DUAL.maglev_size)], ipv6=family is IPV6)
    seen = set()
    for sport in range(40000, 40020):
        for key, _ in list(dual.map(family.affinity).items()):
            dual.map(family.affinity).delete(key)
        out = dual.run("from_netdev", request(family.client, family.vip, sport=sport))
        seen.add(out.frame[TCP].dport)
    assert len(seen) == 1


@BOTH
@pytest.mark.parametrize(
    ("of_the_node", "of_the_service", "agrees"),
    [
        (True, Algorithm.DEFAULT, True),
        (True, Algorithm.RANDOM, False),
        (False, Algorithm.DEFAULT, False),
        (False, Algorithm.MAGLEV, True),
    ],
)
def test_a_service_may_choose_otherwise_than_its_node(
    make_rig: Callable[..., Rig],
    family: Family,
    of_the_node: bool,
    of_the_service: Algorithm,
    agrees: bool,
) -> None:
    rig = make_rig(replace(DUAL, maglev=of_the_node))
    index = rig.service(family.vip, 80, five(family), algorithm=of_the_service)
    rig.maglev(index, [1] * DUAL.maglev_size, ipv6=family is IPV6)
    sent = [request(family.client, family.vip, sport=port) for port in range(40000, 40020)]
    chosen = {rig.run("from_netdev", each).frame[TCP].dport for each in sent}
    assert (chosen == {1}) == agrees


@BOTH
def test_inside_of_the_cluster_nodes_need_not_agree(dual: Rig, family: Family) -> None:
    """Random, as in Cilium."""
    index = dual.service(family.cluster_ip, 80, five(family), algorithm=Algorithm.MAGLEV)
    dual.maglev(index, [1] * DUAL.maglev_size, ipv6=family is IPV6)
    sent = [segment(family.pod2, family.cluster_ip, sport=port) for port in range(40000, 40020)]
    assert len({dual.run("from_container", each).frame[TCP].dport for each in sent}) > 1


@BOTH
def test_maglev_without_a_table_falls_back_to_random(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, five(family), algorithm=Algorithm.MAGLEV)
    assert dual.run("from_netdev", request(family.client, family.vip)).verdict == REDIRECT


def test_maglev_tables_are_read_as_they_were_written(rig: Rig) -> None:
    """An agent that starts removes those that no frontend has any more: it must see them."""
    one, other = ([n + at % 5 for at in range(DUAL.maglev_size)] for n in (1, 2))
    images = [array("I", places).tobytes() for places in (one, other)]
    share(rig.map(t.MAGLEV).fd, {images[0]: [7, 300], images[1]: [8]})
    assert read(rig.map(t.MAGLEV)) == {
        bytes(t.RevNatId(7)): images[0],
        bytes(t.RevNatId(300)): images[0],
        bytes(t.RevNatId(8)): images[1],
    }
    assert read(rig.map(t.MAGLEV6)) == {}
