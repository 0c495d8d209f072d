"""Ids that the table gives: the same on every node, and never another's while flows know them."""

from __future__ import annotations

from typing import Any

import pytest

from lab.agent.services import entries
from lab.agent.services.entries import Entries
from lab.agent.services.remembered import LastIds
from lab.agent.services.table import Table
from lab.bpf.codes import ServiceFlag
from lab.bpf.tables import (
    REVERSE_NAT,
    SOURCE_RANGE,
)
from tests.unit.agent.held import (
    OLD,
    WEB,
    A,
    B,
    C,
    apply,
    backends_of,
    balanced,
    frontends,
    ids,
)


def test_the_article_s_service_has_id_5() -> None:
    table = Table(OLD, {})
    kubernetes = balanced(A, name="kubernetes", vip=None, nodePort=False, type="ClusterIP")
    held = apply({}, table.update({"default/kubernetes": kubernetes, WEB: balanced(A)}))

    vip = frontends(held)["172.16.10.0:80"]
    assert (vip.rev_nat_index, vip.count) == (5, 1)
    assert vip.flags == ServiceFlag.LOADBALANCER | ServiceFlag.ROUTABLE


def test_an_address_that_comes_late_gets_the_id_it_would_have_had() -> None:
    late, other = Table(OLD, {}), "default/other"
    held = apply({}, late.update({WEB: balanced(A, vip=None)}))
    later = balanced(A, name="other", clusterIP="10.96.7.7", vip="172.16.10.1")
    held = apply(held, late.update({other: later}))
    held = apply(held, late.update({WEB: balanced(A)}))

    assert frontends(held)["172.16.10.0:80"].rev_nat_index == 4


def test_a_restarted_agent_writes_nothing_and_keeps_all_ids() -> None:
    first = Table(OLD, {})
    before = apply({}, first.update({"default/old": balanced(C, name="old", vip=None)}))
    held = apply(before, first.update({WEB: balanced(A, B), "default/old": ()}))

    assert Table(OLD, held).update({WEB: balanced(A, B)}, complete=True) == []


def test_a_restarted_agent_gives_new_services_new_ids() -> None:
    held = apply({}, Table(OLD, {}).update({WEB: balanced(A)}))
    again = Table(OLD, held)
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30257}]
    other = balanced(B, name="other", clusterIP="10.96.7.7", vip="172.16.10.1", ports=ports)
    held = apply(held, again.update({WEB: balanced(A), "default/other": other}, complete=True))

    numbers = [each.rev_nat_index for each in frontends(held).values()]
    assert len(numbers) == len(set(numbers)) == 8
    assert backends_of(held, "172.16.10.1") == ["10.0.2.2"]


def test_freed_ids_are_not_given_again_at_once() -> None:
    table = Table(OLD, {})
    table.update({WEB: balanced(A)})
    table.update({WEB: ()})
    held = apply({}, table.update({WEB: balanced(A)}))

    assert frontends(held)["172.16.10.0:80"].rev_nat_index == 8


def test_ids_that_flows_remember_are_not_given_to_others() -> None:
    table = Table(OLD, {}, LastIds(frontend=70, backend=90))
    held = apply({}, table.update({WEB: balanced(A, B)}))
    assert ids(held) == ({71, 72, 73, 74}, {91, 92})


@pytest.mark.parametrize("left", [REVERSE_NAT.name, entries.AFFINITY_MATCH, SOURCE_RANGE.name])
def test_what_a_killed_agent_left_of_a_frontend_does_not_fall_to_another(left: str) -> None:
    """It had not come to slot 0 yet: only what hangs on the id was written."""
    spec: dict[str, Any] = {
        "loadBalancerSourceRanges": ["192.168.10.0/24"],
        "sessionAffinity": "ClientIP",
    }
    held = apply({}, Table(OLD, {}).update({WEB: balanced(A, **spec)}))
    rest = {at: value for at, value in held.items() if at[0] == left}
    again = apply(rest, Table(OLD, rest).update({WEB: balanced(B)}))
    assert ids(again)[0] == {5, 6, 7, 8}


def test_ids_of_what_is_gone_can_be_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """When there are no others: of services that went, and of those that an earlier agent left."""
    monkeypatch.setattr("lab.agent.services.table.LAST_FRONTEND", 4)
    monkeypatch.setattr("lab.agent.services.backends.LAST_BACKEND", 2)
    table, held = Table(OLD, {}), Entries()
    for endpoints in ((A, B), (B, C), (A, C)):
        for wanted in (balanced(*endpoints), ()):
            before = held
            held = apply(held, table.update({WEB: wanted}))
    assert held == {}
    again = Table(OLD, before)
    held = apply(before, again.update({}, complete=True))
    assert held == {}
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30257}]
    other = balanced(B, C, name="other", clusterIP="10.96.7.7", vip="172.16.10.1", ports=ports)
    held = apply(held, again.update({"default/other": other}))
    assert ids(held) == ({1, 2, 3, 4}, {1, 2})
