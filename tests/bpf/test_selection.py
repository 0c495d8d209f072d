"""Which backend a packet gets, and who may have one at all."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

from scapy.layers.inet import TCP

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import (
    Algorithm,
    BackendState,
    Reason,
    Scope,
    ServiceFlag,
    ServiceFlag2,
    SourceRange,
)
from lab.bpf.config import NoBackend
from lab.bpf.maglev import read, share

from .family import BOTH, IPV4, IPV6, Family
from .node import DUAL
from .packets import datagram, reply, request
from .rig import EXPOSED, REDIRECT, SHOT, Backend, Rig
from .source_ranges import listed


def five(family: Family) -> list[Backend]:
    return [Backend(family.pod, port) for port in range(1, 6)]


def ports(rig: Rig, family: Family, sports: range, client: int = 0) -> Counter[int]:
    """How often each backend (told by its port) was chosen for new flows."""
    src = family.near(family.client, client)
    return Counter(
        rig.run("from_netdev", request(src, family.vip, sport=sport)).frame[TCP].dport
        for sport in sports
    )


@BOTH
def test_random_spreads_new_flows_over_all_backends(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, five(family))
    chosen = ports(dual, family, range(40000, 40250))
    assert set(chosen) == {1, 2, 3, 4, 5}
    assert max(chosen.values()) < 100


@BOTH
def test_affinity_keeps_a_client_whatever_its_port(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, five(family), flags=EXPOSED | ServiceFlag.AFFINITY, affinity=10800)
    assert len(ports(dual, family, range(40000, 40030))) == 1
    spread = {next(iter(ports(dual, family, range(1, 2), client=n))) for n in range(20, 120)}
    assert spread == {1, 2, 3, 4, 5}


@BOTH
def test_affinity_ends_with_its_time(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, five(family), flags=EXPOSED | ServiceFlag.AFFINITY, affinity=10800)
    ports(dual, family, range(40000, 40001))
    table = dual.map(family.affinity)
    ((key, value),) = list(table.items())
    value.last_used -= 10801
    seen = set()
    for sport in range(41000, 41060):
        table.update(key, value)
        seen |= set(ports(dual, family, range(sport, sport + 1)))
    assert len(seen) > 1


@BOTH
def test_affinity_lasts_its_whole_time(dual: Rig, family: Family) -> None:
    """Its clock has whole seconds: where one of them is over, less than one may have passed."""
    dual.service(family.vip, 80, five(family), flags=EXPOSED | ServiceFlag.AFFINITY, affinity=1)
    (first,) = ports(dual, family, range(40000, 40001))
    table = dual.map(family.affinity)
    ((key, value),) = list(table.items())
    seen = set()
    for sport in range(41000, 41060):
        now = int(time.monotonic())
        value.last_used = now - 1
        table.update(key, value)
        found = ports(dual, family, range(sport, sport + 1))
        if now == int(time.monotonic()):
            seen |= set(found)
    assert seen == {first}


@BOTH
def test_affinity_forgets_a_backend_that_left(dual: Rig, family: Family) -> None:
    index = dual.service(
        family.vip, 80, five(family), flags=EXPOSED | ServiceFlag.AFFINITY, affinity=10800
    )
    (first,) = ports(dual, family, range(40000, 40001))
    left = dual.backend(Backend(family.pod, first))
    dual.map(t.AFFINITY_MATCH).delete(s.lb_affinity_match(backend_id=left, rev_nat_id=index))
    dual.service(family.vip, 80, [b for b in five(family) if b.port != first], flags=EXPOSED)
    assert first not in ports(dual, family, range(41000, 41020))


@BOTH
def test_source_ranges_admit_only_listed_clients(dual: Rig, family: Family) -> None:
    index = dual.service(
        family.vip, 80, [Backend(family.pod)], flags=EXPOSED | ServiceFlag.SOURCE_RANGE
    )
    listed(dual, index, around(family, 0), SourceRange.ALLOW)
    listed(dual, index, around(family, 0x200), SourceRange.DENY)
    assert dual.run("from_netdev", request(family.client, family.vip)).verdict == REDIRECT
    assert (
        dual.run("from_netdev", request(family.near(family.client, 0x100), family.vip)).verdict
        == SHOT
    )
    assert (
        dual.run("from_netdev", request(family.near(family.client, 0x200), family.vip)).verdict
        == SHOT
    )
    assert dual.dropped() == {Reason.NOT_IN_SRC_RANGE: 2}


@BOTH
def test_source_ranges_can_deny(dual: Rig, family: Family) -> None:
    flags2 = ServiceFlag2.SOURCE_RANGE_DENY
    index = dual.service(
        family.vip,
        80,
        [Backend(family.pod)],
        flags=EXPOSED | ServiceFlag.SOURCE_RANGE,
        flags2=flags2,
    )
    listed(dual, index, around(family, 0), SourceRange.DENY)
    listed(dual, index, around(family, 0x200), SourceRange.ALLOW)
    assert dual.run("from_netdev", request(family.client, family.vip)).verdict == SHOT
    for steps in (0x100, 0x200):
        other = family.near(family.client, steps)
        assert dual.run("from_netdev", request(other, family.vip)).verdict == REDIRECT


@BOTH
def test_two_scopes_serve_outside_and_inside_differently(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod, 1)], flags2=ServiceFlag2.TWO_SCOPES)
    dual.service(
        family.vip,
        80,
        [Backend(family.pod, 2)],
        flags2=ServiceFlag2.TWO_SCOPES,
        scope=Scope.INTERNAL,
    )
    assert dual.run("from_netdev", request(family.client, family.vip)).frame[TCP].dport == 1
    inside = reply(family.pod2, family.vip, sport=41000, dport=80, flags="S")
    assert dual.run("from_container", inside).frame[TCP].dport == 2


@BOTH
def test_one_scope_serves_both(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod, 1)])
    inside = reply(family.pod2, family.vip, sport=41000, dport=80, flags="S")
    assert dual.run("from_container", inside).frame[TCP].dport == 1


@BOTH
def test_terminating_backend_keeps_its_flows_and_gets_no_new_ones(
    dual: Rig, family: Family
) -> None:
    dual.service(family.vip, 80, [Backend(family.pod, 1)])
    dual.run("from_netdev", request(family.client, family.vip))
    dual.backend(Backend(family.pod, 1, BackendState.TERMINATING))
    dual.service(
        family.vip,
        80,
        [Backend(family.pod, 2), Backend(family.pod, 1, BackendState.TERMINATING)],
        terminating=1,
    )
    assert (
        dual.run("from_netdev", request(family.client, family.vip, flags="A")).frame[TCP].dport == 1
    )
    assert ports(dual, family, range(40000, 40020)) == {2: 20}


@BOTH
def test_syn_on_the_port_of_a_terminating_flow_is_a_new_one(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod, 1)])
    dual.run("from_netdev", request(family.client, family.vip))
    dual.service(
        family.vip,
        80,
        [Backend(family.pod, 2), Backend(family.pod, 1, BackendState.TERMINATING)],
        terminating=1,
    )
    assert dual.run("from_netdev", request(family.client, family.vip)).frame[TCP].dport == 2


@BOTH
def test_only_terminating_backends_left_are_used(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod, 1, BackendState.TERMINATING)])
    assert dual.run("from_netdev", request(family.client, family.vip)).frame[TCP].dport == 1


@BOTH
def test_service_without_backends_is_dropped_when_asked_for(
    make_rig: Callable[..., Rig], family: Family
) -> None:
    rig = make_rig(replace(DUAL, no_backend=NoBackend.DROP))
    rig.service(family.vip, 80, [])
    assert rig.run("from_netdev", request(family.client, family.vip)).verdict == SHOT
    assert rig.dropped() == {Reason.NO_SERVICE: 1}


@BOTH
def test_removed_backend_without_successor_is_a_drop(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 53, [Backend(family.pod, 1)], proto=17)
    dual.map(family.backends).delete(t.BackendId(1))
    assert dual.run("from_netdev", datagram(family.client, family.vip)).verdict == SHOT
    assert dual.dropped() == {Reason.NO_SERVICE: 1}


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
        seen |= set(ports(dual, family, range(sport, sport + 1)))
    assert len(seen) == 1


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


def around(family: Family, steps: int) -> str:
    """The network of a client so many addresses on: one of 256."""
    width = 24 if family is IPV4 else 120
    return str(ip_network(f"{family.near(family.client, steps)}/{width}", strict=False))
