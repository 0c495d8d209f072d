"""What an agent tells of itself: the difference between what it knew and what it knows."""

from __future__ import annotations

from lab.hubble import agent_events as kinds
from lab.hubble.agent_events import endpoint_changes, service_changes
from lab.hubble.lookup import Endpoint, Service

from . import article

HERE = Endpoint(300, 77, "default", "web1-x", ("k8s:a=b",))
ELSEWHERE = Endpoint(300, 0, "default", "web1-y", ("k8s:a=b",))
ONE, TWO = article.packed("10.0.3.2"), article.packed("10.0.4.2")


def told(before: dict[bytes, Endpoint], after: dict[bytes, Endpoint]) -> list[tuple[int, str]]:
    return [
        (event.kind, event.details.get("cidr") or event.details["pod_name"])
        for event in endpoint_changes(before, after)
    ]


def test_a_pod_of_this_node_is_an_endpoint_and_an_address() -> None:
    assert told({}, {ONE: HERE, TWO: ELSEWHERE}) == [
        (kinds.ENDPOINT_CREATED, "web1-x"),
        (kinds.IPCACHE_UPSERTED, "10.0.3.2/32"),
        (kinds.IPCACHE_UPSERTED, "10.0.4.2/32"),
    ]
    assert told({ONE: HERE, TWO: ELSEWHERE}, {TWO: ELSEWHERE}) == [
        (kinds.ENDPOINT_DELETED, "web1-x"),
        (kinds.IPCACHE_DELETED, "10.0.3.2/32"),
    ]


def test_nothing_new_is_nothing_told() -> None:
    assert told({ONE: HERE}, {ONE: HERE}) == []


def test_an_address_that_passes_to_another_pod() -> None:
    other = Endpoint(301, 78, "default", "web2-x")
    assert told({ONE: HERE}, {ONE: other}) == [
        (kinds.ENDPOINT_CREATED, "web2-x"),
        (kinds.IPCACHE_UPSERTED, "10.0.3.2/32"),
    ]


def test_a_service_is_told_with_its_frontend() -> None:
    vip = article.packed("172.16.10.0"), 80
    (event,) = service_changes({}, {vip: Service("default", "web1-lb")})
    assert event.kind == kinds.SERVICE_UPSERTED
    assert event.details == {
        "frontend_address": {"ip": "172.16.10.0", "port": 80},
        "namespace": "default",
        "name": "web1-lb",
    }
    assert list(service_changes({vip: Service("a", "b")}, {vip: Service("a", "b")})) == []
