"""When a node's speaker is told something, and what: never of an address it cannot serve."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any
from unittest.mock import patch

import pytest
from lightkube.resources.core_v1 import ConfigMap

from lab.agent.bgp.announcing import Announcing
from lab.agent.bgp.metrics import BgpMetrics
from lab.agent.cluster import BGP_CONFIG, Cluster
from lab.agent.complaints import Complaints
from lab.agent.config import AgentConfig
from lab.agent.profile import profile
from lab.agent.services.model import Address
from lab.bpf.config import DualStack
from lab.frr.model import BgpConfig
from lab.frr.speaker import Speaker
from tests.unit.agent.agent_config import CONFIG
from tests.unit.agent.objects import endpoint, endpoint_slice, node, service

VIP = IPv4Address("172.16.10.0")
NOBODY: Any = None
"""The API server, which nothing here asks."""
PEERS = "peers: [{peer-address: 192.168.1.1, peer-asn: 64512, my-asn: 64512}]\n"
POOLS = "address-pools: [{name: default, protocol: bgp, addresses: [172.16.10.0/24]}]\n"


def config_map(text: str) -> dict[str, Any]:
    """What a mirror has of MetalLB's configuration."""
    found: Any = ConfigMap.from_dict({
        "metadata": {"name": "bgp-config", "namespace": "kube-system"},
        "data": {"config.yaml": text},
    })  # fmt: skip
    return {BGP_CONFIG: found}


class Node:
    """A node's announcing over a cluster with the article's service; `applied` is what FRR got."""

    def __init__(self, applied: list[BgpConfig], config: AgentConfig = CONFIG) -> None:
        self.served: Collection[Address] | None = None
        self.applied = applied
        self.cluster = Cluster(NOBODY, lambda *_: None)
        for mirror in self.cluster.mirrors:
            mirror.complete = True
        self.cluster.nodes.objects = {
            "k8s-worker1": node("k8s-worker1", "192.168.1.21", "10.0.1.0/24")
        }
        self.cluster.services.objects = {"default/web1-lb": service()}
        self.cluster.slices.objects = {"default/x": endpoint_slice(endpoint("10.0.1.2"))}
        self.cluster._slice_changed("default/x")
        self.configure(PEERS + POOLS)
        self.complaints = Complaints(NOBODY, "k8s-worker1", lambda _: None)
        self._announcing = Announcing(
            config,
            self.cluster,
            profile("cilium-1.10", {}),
            lambda: self.served,
            None,
            self.complaints,
            BgpMetrics(),
        )

    def configure(self, text: str) -> None:
        self.cluster.config_maps.objects = config_map(text)

    @property
    def speaker(self) -> Speaker:
        return self._announcing._speaker

    def settle(self) -> list[str] | None:
        """The prefixes that FRR announces after another look; None when it was told nothing."""
        before = len(self.applied)
        asyncio.run(self._announcing.settle())
        if len(self.applied) == before:
            return None
        return [str(each.prefix) for each in self.applied[-1].advertisements]


@pytest.fixture
def applied() -> Iterator[list[BgpConfig]]:
    """What FRR was told."""
    told: list[BgpConfig] = []

    def apply(_: Speaker, config: BgpConfig) -> list[str]:
        told.append(config)
        return []

    with patch.object(Speaker, "apply", apply):
        yield told


@pytest.fixture
def here(applied: list[BgpConfig]) -> Node:
    return Node(applied)


def test_nothing_is_said_while_the_datapath_is_not_known_to_serve(here: Node) -> None:
    """An earlier agent's announcements stay: it knew."""
    assert here.settle() is None


def test_a_vip_is_announced_when_the_datapath_serves_it_and_withdrawn_when_not(here: Node) -> None:
    here.served = set()
    assert here.settle() == []
    here.served = {VIP}
    assert here.settle() == ["172.16.10.0/32"]
    assert here.settle() is None, "nothing changed"
    here.served = set()
    assert here.settle() == []


def test_what_bgpd_has_not_forgotten_yet_is_looked_at_again(here: Node) -> None:
    here.served = {VIP}
    here.settle()
    here.speaker.untidy = True
    assert here.settle() == ["172.16.10.0/32"]
    here.speaker.untidy = False
    assert here.settle() is None


def test_ipv6_sessions_are_told_the_next_hop_where_the_node_has_one(
    applied: list[BgpConfig],
) -> None:
    six = DualStack(
        node_ip=IPv6Address("2001:db8:1::21"),
        router_ip=IPv6Address("fd00:10:0:1::1"),
        pod_cidr=IPv6Network("fd00:10:0:1::/64"),
        cluster_cidr=IPv6Network("fd00:10::/48"),
    )
    for config in (CONFIG, replace(CONFIG, ipv6=six)):
        here = Node(applied, config)
        here.served = {VIP}
        here.settle()
    assert [each.address6 for each in applied] == [None, six.node_ip]


def test_nothing_is_said_before_all_objects_are_known(here: Node) -> None:
    here.served = {VIP}
    here.cluster.config_maps.complete = False
    assert here.settle() is None


def test_a_broken_configuration_is_told_once_and_changes_nothing(
    here: Node, caplog: pytest.LogCaptureFixture
) -> None:
    here.served = {VIP}
    assert here.settle() == ["172.16.10.0/32"]
    here.configure(PEERS.replace("peer-asn", "pear-asn") + POOLS)
    assert [here.settle(), here.settle()] == [None, None]
    complaints = [each.message for each in caplog.records if "not heeded" in each.message]
    assert len(complaints) == 1
    assert "peer 1: there is no field 'pear-asn'" in complaints[0]
    here.served = set()
    assert here.settle() == [], "the last good one still counts"
