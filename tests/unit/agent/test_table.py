"""The load balancer's table: what is written, and in which order."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from itertools import groupby
from typing import Any

import pytest

from lab.agent.profile import Profile, profile
from lab.agent.services import entries
from lab.agent.services.table import Operation, Table
from lab.agent.services.translate import Place, balance
from lab.bpf import maglev, structs
from lab.bpf.codes import BackendState, ServiceFlag, ServiceFlag2
from lab.bpf.tables import (
    BACKENDS,
    BACKENDS6,
    MAGLEV,
    MAGLEV6,
    REVERSE_NAT,
    SERVICES,
    SOURCE_RANGE,
)
from tests.unit.agent.held import (
    NEW,
    OLD,
    WEB,
    A,
    B,
    C,
    apply,
    backends_of,
    balanced,
    frontends,
    states,
)
from tests.unit.agent.objects import endpoint, endpoint_slice, service


def test_backends_come_before_slots_and_slots_before_their_count() -> None:
    maps = [op.map for op in Table(OLD, {}).update({WEB: balanced(A, B)})]

    first_slot = maps.index(SERVICES.name)
    assert set(maps[:first_slot]) == {BACKENDS.name, REVERSE_NAT.name}
    assert set(maps[first_slot:]) == {SERVICES.name}
    slots = [
        structs.lb4_key.parse(op.key).backend_slot
        for op in Table(OLD, {}).update({WEB: balanced(A, B)})
        if op.map == SERVICES.name
    ]
    assert slots.index(0) > max(n for n, slot in enumerate(slots) if slot)


def test_a_service_goes_in_the_reverse_order() -> None:
    table = Table(OLD, {})
    table.update({WEB: balanced(A, B)})

    gone = table.update({WEB: ()})
    assert all(op.value is None for op in gone)
    ranks = [entries.rank((op.map, op.key), removing=True) for op in gone]
    assert ranks == sorted(ranks)
    assert gone[0].map == SERVICES.name
    assert gone[-1].map == BACKENDS.name


@pytest.mark.parametrize(
    ("before", "after"),
    [([A, B], [A, B, C]), ([A, B, C], [B, C]), ([A], [B]), ([A, B], []), ([], [A, B])],
)
@pytest.mark.parametrize("chosen", [OLD, NEW])
def test_no_packet_sees_half_of_a_service(
    before: list[Any], after: list[Any], chosen: Profile
) -> None:
    """After each single operation every slot up to the count leads to a backend."""
    table = Table(chosen, {})
    held = apply({}, table.update({WEB: balanced(*before, chosen=chosen)}))

    for operation in table.update({WEB: balanced(*after, chosen=chosen)}):
        held = apply(held, [operation])
        count = frontends(held)["172.16.10.0:80"].count
        assert len(backends_of(held, "172.16.10.0")[:count]) == count
    assert backends_of(held, "172.16.10.0") == [each["addresses"][0] for each in after]


def test_what_did_not_change_is_not_written_again() -> None:
    table = Table(OLD, {})
    table.update({WEB: balanced(A, B)})

    assert table.update({WEB: balanced(A, B)}) == []


def test_services_share_a_backend_until_the_last_of_them_is_gone() -> None:
    table, twin = Table(OLD, {}), balanced(A, name="twin", clusterIP="10.96.9.9", vip=None)
    table.update({WEB: balanced(A), "default/twin": twin})

    assert BACKENDS.name not in {op.map for op in table.update({WEB: ()})}
    assert BACKENDS.name in {op.map for op in table.update({"default/twin": ()})}


def test_a_restarted_agent_removes_what_nobody_wants_any_more() -> None:
    held = apply({}, Table(OLD, {}).update({WEB: balanced(A)}))
    operations = Table(OLD, held).update({}, complete=True)

    assert apply(held, operations) == {}
    assert operations[0].map == SERVICES.name


def test_what_a_packet_reads_last_is_written_first_and_removed_last() -> None:
    """Two scopes and a wildcard: every rank that there is."""
    web = balanced(A, chosen=NEW, externalTrafficPolicy="Local", sessionAffinity="ClientIP")
    operations = Table(NEW, {}).update({WEB: web})

    def stage(op: Operation) -> str:
        if op.map != SERVICES.name:
            return "backend" if op.map == BACKENDS.name else "id"
        key = structs.lb4_key.parse(op.key)
        if key.backend_slot:
            return "slot"
        inner = "inside" if key.scope else "outside"
        return inner if key.dport else "other ports"

    stages = [stage for stage, _ in groupby(operations, stage)]
    assert stages == ["backend", "id", "slot", "inside", "outside", "other ports"]
    places = [(op.map, op.key) for op in operations]
    ranks = [entries.rank(place, removing=True) for place in reversed(places)]
    assert ranks == sorted(ranks)


def test_terminating_backends_follow_the_active_ones() -> None:
    ending = endpoint("10.0.9.9", ready=False, terminating=True)
    held = apply({}, Table(NEW, {}).update({WEB: balanced(ending, A, chosen=NEW)}))

    vip = frontends(held)["172.16.10.0:80"]
    assert (vip.count, vip.qcount) == (1, 1)
    assert backends_of(held, "172.16.10.0") == ["10.0.1.1", "10.0.9.9"]
    assert states(held) == {"10.0.1.1": BackendState.ACTIVE, "10.0.9.9": BackendState.TERMINATING}


def test_terminating_backends_take_new_connections_when_there_are_no_others() -> None:
    ending = [endpoint(f"10.0.9.{n}", ready=False, terminating=True) for n in (8, 9)]
    held = apply({}, Table(NEW, {}).update({WEB: balanced(*ending, chosen=NEW)}))

    vip = frontends(held)["172.16.10.0:80"]
    assert (vip.count, vip.qcount) == (2, 0)
    assert backends_of(held, "172.16.10.0") == ["10.0.9.8", "10.0.9.9"]
    assert (MAGLEV.name, vip.rev_nat_index.to_bytes(2, "little")) in held
    assert set(states(held).values()) == {BackendState.TERMINATING}


def test_a_backend_that_terminates_does_so_for_all_frontends() -> None:
    """The only one on this node, it takes new connections from outside, but none from inside."""
    ending = endpoint("10.0.1.9", ready=False, terminating=True)
    elsewhere = endpoint("10.0.2.2", node="k8s-worker2")
    web = balanced(ending, elsewhere, chosen=NEW, externalTrafficPolicy="Local")
    held = apply({}, Table(NEW, {}).update({WEB: web}))

    counts = {where: (svc.count, svc.qcount) for where, svc in frontends(held).items()}
    assert counts["10.106.236.120:80"] == (1, 1)
    assert states(held) == {"10.0.1.9": BackendState.TERMINATING, "10.0.2.2": BackendState.ACTIVE}


def test_the_wildcard_of_a_vip_stays_while_one_service_has_the_address() -> None:
    table = Table(NEW, {})
    other = balanced(A, name="other", chosen=NEW, clusterIP="10.96.7.7", nodePort=False,
                     ports=[{"name": "alt", "port": 81, "protocol": "TCP"}])  # fmt: skip
    held = apply({}, table.update({WEB: balanced(A, chosen=NEW), "default/other": other}))
    assert "172.16.10.0:0" in frontends(held)

    held = apply(held, table.update({WEB: ()}))
    assert "172.16.10.0:0" in frontends(held)
    held = apply(held, table.update({"default/other": ()}))
    assert held == {}


def test_source_ranges_and_affinity_have_entries_of_their_own() -> None:
    spec: dict[str, Any] = {
        "loadBalancerSourceRanges": ["192.168.10.0/24"],
        "sessionAffinity": "ClientIP",
    }
    held = apply({}, Table(OLD, {}).update({WEB: balanced(A, B, **spec)}))

    vip = frontends(held)["172.16.10.0:80"]
    assert vip.flags & ServiceFlag.SOURCE_RANGE
    assert vip.backend_id == 10800
    ranges = [
        structs.lb4_src_range_key.parse(key) for name, key in held if name == SOURCE_RANGE.name
    ]
    assert [(r.prefixlen, r.rev_nat_id, str(IPv4Address(r.addr))) for r in ranges] == [
        (56, vip.rev_nat_index, "192.168.10.0")
    ]
    matches = [name for name, _ in held if name == entries.AFFINITY_MATCH]
    assert len(matches) == 8


def test_policies_that_differ_make_two_scopes() -> None:
    held = apply({}, Table(OLD, {}).update({WEB: balanced(A, externalTrafficPolicy="Local")}))

    vip = frontends(held)["172.16.10.0:80"]
    assert vip.flags & ServiceFlag.EXT_LOCAL
    assert vip.flags2 & ServiceFlag2.TWO_SCOPES
    scopes = {
        structs.lb4_key.parse(key).scope
        for name, key in held
        if name == SERVICES.name
        and str(IPv4Address(structs.lb4_key.parse(key).address)) == "172.16.10.0"
    }
    assert scopes == {0, 1}


@pytest.mark.parametrize("mode", ["snat", "dsr", "hybrid"])
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_what_is_reached_from_outside_says_whether_replies_go_straight_back(
    mode: str, protocol: str
) -> None:
    chosen = profile("cilium-1.10", {"mode": mode})
    ports = [{"name": "http", "port": 80, "protocol": protocol, "nodePort": 30256}]
    held = apply({}, Table(chosen, {}).update({WEB: balanced(A, chosen=chosen, ports=ports)}))

    direct = {
        where for where, svc in frontends(held).items() if svc.flags2 & ServiceFlag2.FORWARD_DSR
    }
    outside = {"0.0.0.0:30256", "192.168.1.21:30256", "172.16.10.0:80"}
    assert direct == (outside if mode == "dsr" or (mode, protocol) == ("hybrid", "TCP") else set())


def test_maglev_tables_hold_ids_of_backends_in_equal_shares() -> None:
    held = apply({}, Table(NEW, {}).update({WEB: balanced(A, B, chosen=NEW)}))

    tables = [value for (name, _), value in held.items() if name == MAGLEV.name]
    assert len(tables) == 3  # both NodePort frontends and the VIP; ClusterIPs are east-west
    numbers = memoryview(tables[0]).cast("I").tolist()
    assert len(numbers) == 251
    assert abs(numbers.count(1) - numbers.count(2)) <= 1


def test_backends_are_hashed_by_the_names_that_cilium_gives_them() -> None:
    """Or a node of another kind would send a flow elsewhere."""
    place = Place("k8s-worker1", (IPv4Address("192.168.1.21"), IPv6Address("fd00::21")), NEW)
    web = service(clusterIPs=["10.96.0.5", "fd00:96::5"], ipFamilies=["IPv4", "IPv6"])
    six = endpoint_slice(endpoint("fd00:1::7"), endpoint("fd00:2::7"))
    six.addressType = "IPv6"
    balanced = balance(web, [endpoint_slice(A, B), six], place)
    held = apply({}, Table(NEW, {}).update({WEB: balanced}))

    numbers = {
        str(entries.backend_of(name, value).address): int.from_bytes(key, "little")
        for (name, key), value in held.items()
        if name in (BACKENDS.name, BACKENDS6.name)
    }
    for table, written, addresses in (
        (MAGLEV, "[{}:80/TCP,State:active]", ("10.0.1.1", "10.0.2.2")),
        (MAGLEV6, "[[{}]:80/TCP,State:active]", ("fd00:1::7", "fd00:2::7")),
    ):
        names = {written.format(each): numbers[each] for each in addresses}
        found = {value for (name, _), value in held.items() if name == table.name}
        assert found == {maglev.image(names, 251)}
