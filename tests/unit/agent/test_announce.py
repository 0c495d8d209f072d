"""Which VIPs a node announces."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from lightkube.models.core_v1 import NodeCondition
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Node

from lab.agent.bgp.announce import EXCLUDE, announced, excluded
from lab.agent.profile import profile
from lab.agent.services.model import Kind
from tests.unit.agent.objects import endpoint, endpoint_slice, node, service

METALLB = profile("cilium-1.10", {})
CILIUM = profile("modern", {})
VIP = IPv4Address("172.16.10.0")
HERE = endpoint("10.0.1.1", node="k8s-worker1")
THERE = endpoint("10.0.2.2", node="k8s-worker2")
UNREADY = endpoint("10.0.1.9", node="k8s-worker1", ready=False)
ENDING = endpoint("10.0.1.8", node="k8s-worker1", ready=False, terminating=True)


def vips(policy: str, endpoints: list[Any], chosen: Any = METALLB, **node_facts: Any) -> list[str]:
    found = announced(
        [service(externalTrafficPolicy=policy)],
        {"default/web1-lb": [endpoint_slice(*endpoints)]},
        node("k8s-worker1", "192.168.1.21", "10.0.1.0/24", **node_facts),
        chosen,
        {VIP},
    )
    return [str(each.address) for each in found if each.kind is Kind.LOAD_BALANCER]


@pytest.mark.parametrize(
    ("policy", "endpoints", "metallb", "cilium"),
    [
        ("Cluster", [HERE], True, True),
        ("Cluster", [THERE], True, True),
        ("Cluster", [UNREADY], False, True),
        ("Cluster", [], False, True),
        ("Local", [HERE], True, True),
        ("Local", [THERE], False, False),
        ("Local", [THERE, UNREADY], False, False),
        ("Local", [ENDING], False, False),
        ("Local", [], False, False),
    ],
)
def test_policies(policy: str, endpoints: list[Any], metallb: bool, cilium: bool) -> None:
    assert vips(policy, endpoints) == (["172.16.10.0"] if metallb else [])
    assert vips(policy, endpoints, CILIUM) == (["172.16.10.0"] if cilium else [])


def test_a_node_with_the_exclude_label_announces_nothing() -> None:
    assert vips("Cluster", [HERE], labels={EXCLUDE: ""}) == []


def test_a_vip_that_the_datapath_does_not_serve_yet_is_not_announced() -> None:
    here = node("k8s-worker1", "192.168.1.21", "10.0.1.0/24")
    slices = {"default/web1-lb": [endpoint_slice(HERE)]}
    found = announced([service()], slices, here, METALLB, set())
    assert [each for each in found if each.kind is Kind.LOAD_BALANCER] == []


def test_without_its_node_object_an_agent_announces_nothing() -> None:
    assert announced([service()], {}, None, CILIUM, {VIP}) == []


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (Kind.LOAD_BALANCER, "172.16.10.0"),
        (Kind.EXTERNAL_IPS, "203.0.113.7"),
        (Kind.CLUSTER_IP, "10.106.236.120"),
    ],
)
def test_only_what_the_configuration_can_announce_is_looked_at(kind: Kind, address: str) -> None:
    found = announced(
        [service(externalIPs=["203.0.113.7"])],
        {"default/web1-lb": [endpoint_slice(HERE)]},
        node("k8s-worker1", "192.168.1.21", "10.0.1.0/24"),
        METALLB,
        {VIP, IPv4Address("203.0.113.7"), IPv4Address("10.106.236.120")},
        kinds=(kind,),
    )
    assert [(each.kind, str(each.address)) for each in found] == [(kind, address)]


@pytest.mark.parametrize(
    ("external", "internal", "kinds"),
    [
        ("Cluster", "Cluster", {"LoadBalancer": False, "ExternalIPs": False, "ClusterIP": False}),
        ("Local", "Cluster", {"ClusterIP": False}),
        ("Cluster", "Local", {"LoadBalancer": False, "ExternalIPs": False}),
        ("Local", "Local", {}),
    ],
)
def test_each_kind_of_address_follows_its_own_policy(
    external: str, internal: str, kinds: dict[str, bool]
) -> None:
    """On a node without endpoints; and with one, marked as Local where the policy is."""
    addresses = {"172.16.10.0", "203.0.113.7", "10.106.236.120", "fd00:96::1"}
    web = service(
        externalIPs=["203.0.113.7", "203.0.113.8"],
        clusterIPs=["10.106.236.120", "fd00:96::1"],
        externalTrafficPolicy=external,
        internalTrafficPolicy=internal,
    )
    here = node("k8s-worker1", "192.168.1.21", "10.0.1.0/24")
    six = endpoint_slice(endpoint("fd00:10:0:1::1"))
    six.addressType = "IPv6"

    def found(of: dict[str, Any]) -> list[tuple[str, str, bool]]:
        slices = {"default/web1-lb": [endpoint_slice(of), *([six] if of is HERE else [])]}
        each = announced([web], slices, here, METALLB, {ip_address(text) for text in addresses})
        return [(e.kind.value, str(e.address), e.local) for e in each]

    assert {kind: local for kind, _, local in found(THERE)} == kinds
    assert found(HERE) == [
        ("LoadBalancer", "172.16.10.0", external == "Local"),
        ("ExternalIPs", "203.0.113.7", external == "Local"),
        ("ClusterIP", "10.106.236.120", internal == "Local"),
        ("ClusterIP", "fd00:96::1", internal == "Local"),
    ]


@pytest.mark.parametrize(
    ("kind", "status", "out"),
    [
        ("NetworkUnavailable", "True", True),
        ("NetworkUnavailable", "False", False),
        ("MemoryPressure", "True", False),
    ],
)
def test_a_node_without_a_network_announces_nothing(kind: str, status: str, out: bool) -> None:
    here = node("k8s-worker1", "192.168.1.21", "10.0.1.0/24")
    assert not excluded(here)
    assert here.status is not None
    here.status.conditions = [NodeCondition(type=kind, status=status)]
    assert excluded(here) is out


def test_a_node_that_says_nothing_of_itself_is_not_excluded() -> None:
    assert not excluded(Node(metadata=ObjectMeta(name="k8s-worker1")))
    assert not excluded(Node())
