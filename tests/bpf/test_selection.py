"""Which backend a packet gets, and who may have one at all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

from scapy.layers.inet import TCP

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import (
    BackendState,
    Reason,
    Scope,
    ServiceFlag,
    ServiceFlag2,
    SourceRange,
)
from lab.bpf.config import NoBackend

from .family import BOTH, IPV4, Family
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
def test_affinity_is_with_each_service_alone(dual: Rig, family: Family) -> None:
    """They share backends, but not what a client was given."""
    sticky = EXPOSED | ServiceFlag.AFFINITY
    vips = [family.near(family.vip, steps) for steps in range(8)]
    for vip in vips:
        dual.service(vip, 80, five(family), flags=sticky, affinity=10800)

    def chosen(sport: int) -> list[int]:
        sent = [request(family.client, vip, sport=sport) for vip in vips]
        return [dual.run("from_netdev", each).frame[TCP].dport for each in sent]

    first = chosen(40000)
    assert len(set(first)) > 1
    assert chosen(40001) == first


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
def test_affinity_lasts_as_long_as_its_clients_connection(dual: Rig, family: Family) -> None:
    """Not only from its first packet on."""
    sticky = EXPOSED | ServiceFlag.AFFINITY
    dual.service(family.vip, 80, five(family), flags=sticky, affinity=10800)
    dual.run("from_netdev", request(family.client, family.vip))
    table = dual.map(family.affinity)
    ((key, value),) = list(table.items())
    value.last_used -= 100
    table.update(key, value)
    dual.run("from_netdev", request(family.client, family.vip, flags="A"))
    assert table.lookup(key).last_used >= value.last_used + 100


@BOTH
def test_affinity_forgets_a_backend_that_left(dual: Rig, family: Family) -> None:
    """Though another service still has it, and the client has one with that."""
    sticky = EXPOSED | ServiceFlag.AFFINITY
    dual.service(family.near(family.vip, 1), 80, five(family), flags=sticky, affinity=10800)
    index = dual.service(family.vip, 80, five(family), flags=sticky, affinity=10800)
    (first,) = ports(dual, family, range(40000, 40001))
    left = dual.backend(Backend(family.pod, first))
    dual.map(t.AFFINITY_MATCH).delete(s.lb_affinity_match(backend_id=left, rev_nat_id=index))
    rest = [backend for backend in five(family) if backend.port != first]
    dual.service(family.vip, 80, rest, flags=sticky, affinity=10800)
    assert first not in ports(dual, family, range(41000, 41001))


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
def test_source_ranges_are_of_one_service(dual: Rig, family: Family) -> None:
    """Who may use one may not therefore use another."""
    guarded = EXPOSED | ServiceFlag.SOURCE_RANGE
    one, other = family.vip, family.near(family.vip, 1)
    indexes = [dual.service(vip, 80, [Backend(family.pod)], flags=guarded) for vip in (one, other)]
    for index, admitted, refused in zip(indexes, (one, other), (other, one), strict=True):
        listed(dual, index, around(family, 0x1000 * index), SourceRange.ALLOW)
        client = family.near(family.client, 0x1000 * index)
        assert dual.run("from_netdev", request(client, admitted)).verdict == REDIRECT
        assert dual.run("from_netdev", request(client, refused)).verdict == SHOT
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


def around(family: Family, steps: int) -> str:
    """The network of a client so many addresses on: one of 256."""
    width = 24 if family is IPV4 else 120
    return str(ip_network(f"{family.near(family.client, steps)}/{width}", strict=False))
