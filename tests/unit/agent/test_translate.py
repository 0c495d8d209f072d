"""Services and endpoint slices as frontends with backends."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from lab.agent.profile import profile
from lab.agent.services.endpoints import ready_count
from lab.agent.services.model import Backend, Balanced, Kind, Protocol
from lab.agent.services.translate import Place, balance
from lab.bpf.codes import Algorithm, Scope
from tests.unit.agent.objects import endpoint, endpoint_slice, service

OLD = Place("k8s-worker1", (IPv4Address("192.168.1.21"),), profile("cilium-1.10", {}))
NEW = Place("k8s-worker1", (IPv4Address("192.168.1.21"),), profile("modern", {}))
LOCAL = endpoint("10.0.1.7", node="k8s-worker1")
REMOTE = endpoint("10.0.2.9", node="k8s-worker2")


def summary(balanced: Balanced) -> tuple[str, str, list[str]]:
    """kind/scope, address:port, active backends."""
    where = f"{balanced.frontend.address}:{balanced.frontend.port}" if balanced.frontend else "?"
    scope = "/i" if balanced.slot.scope is Scope.INTERNAL else ""
    return balanced.slot.kind.value + scope, where, [str(b.address) for b in balanced.active]


def test_frontends_of_the_article_s_service_come_in_the_order_of_their_ids() -> None:
    found = balance(service(), [endpoint_slice(REMOTE)], OLD)

    assert [summary(each) for each in found] == [
        ("ClusterIP", "10.106.236.120:80", ["10.0.2.9"]),
        ("NodePort", "0.0.0.0:30256", ["10.0.2.9"]),
        ("NodePort", "192.168.1.21:30256", ["10.0.2.9"]),
        ("LoadBalancer", "172.16.10.0:80", ["10.0.2.9"]),
    ]


def test_a_vip_that_is_still_to_come_has_its_slot_already() -> None:
    before = balance(service(vip=None), [], OLD)
    after = balance(service(), [], OLD)

    assert before[-1].frontend is None
    assert before[-1].slot == after[-1].slot


@pytest.mark.parametrize(
    ("external", "internal", "expected"),
    [
        ("Cluster", "Cluster", {"LoadBalancer": 2, "ClusterIP": 2}),
        ("Local", "Cluster", {"LoadBalancer": 1, "LoadBalancer/i": 2, "ClusterIP": 2}),
        ("Cluster", "Local", {"LoadBalancer": 2, "LoadBalancer/i": 1, "ClusterIP": 1}),
        ("Local", "Local", {"LoadBalancer": 1, "ClusterIP": 1}),
    ],
)
def test_traffic_policies(external: str, internal: str, expected: dict[str, int]) -> None:
    spec: dict[str, Any] = {"externalTrafficPolicy": external, "internalTrafficPolicy": internal}
    found = balance(service(**spec), [endpoint_slice(LOCAL, REMOTE)], OLD)

    counts = {summary(each)[0]: len(each.active) for each in found}
    counts = {kind: count for kind, count in counts.items() if not kind.startswith("NodePort")}
    assert counts == expected


NOT_READY = endpoint("10.0.1.8", ready=False)
ENDING = endpoint("10.0.1.9", ready=False, terminating=True, serving=True)
DEAD = endpoint("10.0.1.10", ready=False, terminating=True, serving=False)


@pytest.mark.parametrize(
    ("place", "endpoints", "active", "terminating"),
    [
        (OLD, [LOCAL, NOT_READY], ["10.0.1.7"], []),
        (OLD, [LOCAL, ENDING], ["10.0.1.7"], []),
        (OLD, [ENDING], [], []),
        (NEW, [LOCAL, NOT_READY], ["10.0.1.7"], []),
        (NEW, [LOCAL, ENDING], ["10.0.1.7"], ["10.0.1.9"]),
        (NEW, [ENDING, DEAD], [], ["10.0.1.9"]),
        (NEW, [DEAD], [], []),
        (NEW, [], [], []),
    ],
)
def test_backends_that_terminate(
    place: Place, endpoints: list[Any], active: list[str], terminating: list[str]
) -> None:
    vip = balance(service(), [endpoint_slice(*endpoints)], place)[-1]

    assert [str(b.address) for b in vip.active] == active
    assert [str(b.address) for b in vip.terminating] == terminating


def test_the_same_endpoint_in_two_slices_is_one_backend() -> None:
    vip = balance(service(), [endpoint_slice(LOCAL), endpoint_slice(LOCAL, REMOTE)], OLD)[-1]

    assert vip.active == (
        Backend(IPv4Address("10.0.1.7"), 80, Protocol.TCP),
        Backend(IPv4Address("10.0.2.9"), 80, Protocol.TCP),
    )


def test_ports_are_matched_by_name_and_protocol() -> None:
    ports = [
        {"name": "http", "port": 80, "protocol": "TCP"},
        {"name": "dns", "port": 53, "protocol": "UDP"},
    ]
    slice_ports = [
        {"name": "http", "port": 8080, "protocol": "TCP"},
        {"name": "dns", "port": 5353, "protocol": "UDP"},
        {"name": "dns", "port": 9999, "protocol": "TCP"},
    ]
    found = balance(service(ports=ports), [endpoint_slice(LOCAL, ports=slice_ports)], OLD)

    vips = [each for each in found if each.slot.kind is Kind.LOAD_BALANCER]
    assert [(v.frontend and v.frontend.protocol.name, v.active[0].port) for v in vips] == [
        ("TCP", 8080),
        ("UDP", 5353),
    ]


@pytest.mark.parametrize("unnamed", [{}, {"name": ""}])
def test_a_port_without_a_name_is_tcp_and_meets_the_one_without_a_name(
    unnamed: dict[str, Any],
) -> None:
    slice_ports = [{"name": "other", "port": 1}, {**unnamed, "port": 8080}, {**unnamed}]
    found = balance(service(ports=[{"port": 80}]), [endpoint_slice(LOCAL, ports=slice_ports)], OLD)

    assert [each.active for each in found] == 2 * [
        (Backend(IPv4Address("10.0.1.7"), 8080, Protocol.TCP),)
    ]


def test_an_endpoint_is_ready_unless_it_says_otherwise() -> None:
    silent = {"addresses": ["10.0.1.7"]}
    unsure = {"addresses": ["10.0.1.8"], "conditions": {"terminating": False}}
    assert summary(balance(service(), [endpoint_slice(silent, unsure)], NEW)[-1])[2] == [
        "10.0.1.7",
        "10.0.1.8",
    ]


def test_a_slice_of_nothing_and_a_service_without_notes_are_served() -> None:
    plain, nothing = service(), endpoint_slice(LOCAL)
    assert plain.metadata is not None
    plain.metadata.labels = plain.metadata.annotations = None
    nothing.endpoints = nothing.ports = None
    bare = endpoint_slice(LOCAL)
    bare.endpoints = None
    found = balance(plain, [nothing, bare, endpoint_slice(REMOTE)], NEW)
    assert summary(found[-1])[2] == ["10.0.2.9"]
    assert ready_count([nothing, bare, endpoint_slice(REMOTE)]) == 1


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "ExternalName", "externalName": "example.org"},
        {"type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"], "nodePort": False},
    ],
)
def test_services_without_frontends(spec: dict[str, Any]) -> None:
    assert balance(service(vip=None, **spec), [endpoint_slice(LOCAL)], OLD) == ()


def test_a_service_of_another_proxy_is_left_alone() -> None:
    labels = {"service.kubernetes.io/service-proxy-name": "other"}
    assert balance(service(labels=labels), [endpoint_slice(LOCAL)], OLD) == ()


def test_settings_come_from_the_spec() -> None:
    spec: dict[str, Any] = {
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 30}},
        "loadBalancerSourceRanges": ["192.168.10.0/24", "2001:db8::/64"],
    }
    settings = balance(service(**spec), [], OLD)[-1].settings

    assert settings.affinity == 30
    assert [str(each) for each in settings.source_ranges] == ["192.168.10.0/24", "2001:db8::/64"]


def test_affinity_without_a_timeout_lasts_three_hours() -> None:
    assert balance(service(sessionAffinity="ClientIP"), [], OLD)[0].settings.affinity == 10800


def test_annotations_choose_for_one_service() -> None:
    annotations: dict[str, str] = {
        "service.cilium.io/lb-algorithm": "maglev",
        "service.cilium.io/forwarding-mode": "dsr",
        "service.cilium.io/src-ranges-policy": "deny",
    }
    settings = balance(service(annotations=annotations), [], OLD)[-1].settings

    assert (settings.algorithm, settings.dsr, settings.ranges_deny) == (
        Algorithm.MAGLEV,
        True,
        True,
    )


def test_a_headless_service_has_no_frontends_even_at_external_addresses() -> None:
    """Its name leads to the pods; service proxies leave it alone."""
    headless = service(
        type="ClusterIP", clusterIP="None", nodePort=False, vip=None, externalIPs=["172.16.20.0"]
    )
    assert balance(headless, [endpoint_slice(LOCAL)], NEW) == ()


def test_a_forwarding_mode_that_is_not_known_leaves_the_default() -> None:
    direct = Place(OLD.node, OLD.addresses, profile("modern", {"mode": "dsr"}))
    asked = service(annotations={"service.cilium.io/forwarding-mode": "DSR"})
    assert all(each.settings.dsr for each in balance(asked, [endpoint_slice(LOCAL)], direct))


def test_what_a_service_asks_for_counts_more_than_the_mode_of_the_lab() -> None:
    for mode in ("dsr", "hybrid"):
        here = Place(OLD.node, OLD.addresses, profile("modern", {"mode": mode}))
        asked = service(annotations={"service.cilium.io/forwarding-mode": "snat"})
        for each, direct in ((asked, False), (service(), True)):
            found = balance(each, [endpoint_slice(LOCAL)], here)
            assert {one.settings.dsr for one in found} == {direct}


def test_an_address_of_the_other_family_in_a_slice_is_no_backend() -> None:
    mixed = endpoint_slice(LOCAL, endpoint("fd01::7"))
    for each in balance(service(), [mixed], NEW):
        assert [str(backend.address) for backend in each.active] == ["10.0.1.7"]
