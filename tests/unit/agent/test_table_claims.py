"""Frontends and backends that two services claim."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from lab.agent.services.model import Balanced
from lab.agent.services.table import Table
from lab.bpf.codes import BackendState
from tests.unit.agent.held import (
    NEW,
    OLD,
    A,
    B,
    C,
    apply,
    backends_of,
    balanced,
    states,
)
from tests.unit.agent.objects import endpoint

TWO_CLAIM: dict[str, Any] = {"vip": None, "nodePort": False, "externalIPs": ["172.16.20.0"]}
"""Of services that both ask for one external address."""


def claimed(name: str, number: int, *endpoints: dict[str, Any], day: int) -> tuple[Balanced, ...]:
    """A service that claims the address, created on a day of the month."""
    created = datetime(2026, 11, day, tzinfo=timezone.utc)
    at: dict[str, Any] = {"name": name, "clusterIP": f"10.96.1.{number}", "created": created}
    return balanced(*endpoints, **at, **TWO_CLAIM)


def test_the_older_of_two_services_keeps_the_frontend_that_both_claim() -> None:
    table = Table(OLD, {})
    held = apply({}, table.update({"default/old": claimed("old", 1, A, day=2)}))
    held = apply(held, table.update({"default/new": claimed("new", 2, B, day=3)}))
    assert backends_of(held, "172.16.20.0") == ["10.0.1.1"]
    held = apply(held, table.update({"default/new": claimed("new", 2, B, C, day=3)}))
    assert backends_of(held, "172.16.20.0") == ["10.0.1.1"]

    held = apply(held, table.update({"default/old": ()}))
    assert backends_of(held, "172.16.20.0") == ["10.0.2.2", "10.0.3.3"]
    held = apply(held, table.update({"default/old": claimed("old", 1, A, day=4)}))
    assert backends_of(held, "172.16.20.0") == ["10.0.2.2", "10.0.3.3"]


def test_an_older_service_that_comes_to_claim_a_frontend_leaves_no_slot_of_the_younger() -> None:
    table = Table(OLD, {})
    held = apply({}, table.update({"default/new": claimed("new", 2, B, C, day=3)}))
    assert backends_of(held, "172.16.20.0") == ["10.0.2.2", "10.0.3.3"]
    held = apply(held, table.update({"default/old": claimed("old", 1, A, day=2)}))
    assert backends_of(held, "172.16.20.0") == ["10.0.1.1"]
    held = apply(held, table.update({"default/old": ()}))
    assert backends_of(held, "172.16.20.0") == ["10.0.2.2", "10.0.3.3"]


def test_a_restarted_agent_finds_the_same_service_at_a_frontend_that_two_claim() -> None:
    services = {
        "default/new": claimed("new", 2, B, day=3),
        "default/old": claimed("old", 1, A, day=2),
    }
    table = Table(OLD, {})
    held = apply({}, table.update({"default/old": services["default/old"]}))
    held = apply(held, table.update({"default/new": services["default/new"]}))
    again = apply(held, Table(OLD, held).update(services, complete=True))

    assert backends_of(held, "172.16.20.0") == backends_of(again, "172.16.20.0") == ["10.0.1.1"]


@pytest.mark.parametrize("last", ["web1-lb", "ready"])
def test_a_backend_that_terminates_for_one_service_does_for_all(last: str) -> None:
    """Whichever changed last: `publishNotReadyAddresses` calls it ready in the other."""
    ending = endpoint("10.0.9.9", ready=False, terminating=True)
    services = {
        "web1-lb": balanced(ending, A, chosen=NEW),
        "ready": balanced(
            endpoint("10.0.9.9", terminating=True), name="ready", vip=None, nodePort=False,
            chosen=NEW, clusterIP="10.96.9.9",
        ),
    }  # fmt: skip
    table = Table(NEW, {})
    held = apply({}, table.update(services))
    held = apply(held, table.update({last: services[last]}))
    assert states(held)["10.0.9.9"] == BackendState.TERMINATING

    held = apply(held, table.update({"web1-lb": ()}))
    assert states(held) == {"10.0.9.9": BackendState.ACTIVE}
