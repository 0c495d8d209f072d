"""Which VIPs a node announces."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from lab.agent.bgp.announce import EXCLUDE, announced
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


def test_only_what_the_configuration_can_announce_is_looked_at() -> None:
    found = announced(
        [service(externalIPs=["203.0.113.7"])],
        {"default/web1-lb": [endpoint_slice(HERE)]},
        node("k8s-worker1", "192.168.1.21", "10.0.1.0/24"),
        METALLB,
        {VIP, IPv4Address("203.0.113.7")},
        kinds=(Kind.LOAD_BALANCER,),
    )
    assert [(each.kind, each.address) for each in found] == [(Kind.LOAD_BALANCER, VIP)]
