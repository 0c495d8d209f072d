"""A node announces a VIP once it can serve it: maps and ways to all nodes first, then BGP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from lightkube.resources.core_v1 import Service

from lab.agent.agent import Agent
from lab.agent.bgp.metrics import BgpMetrics
from lab.agent.flows.lookup import Directory
from lab.agent.profile import profile
from lab.agent.services.remembered import NOTHING, LastIds
from lab.agent.services.table import Operation
from lab.bpf.stale_sockets import Connected
from lab.errors import BpfError
from lab.frr.model import BgpConfig
from lab.frr.speaker import Speaker
from tests.unit.agent.agent_config import CONFIG
from tests.unit.agent.objects import endpoint, endpoint_slice, node, service
from tests.unit.agent.test_announcing import NOBODY, PEERS, POOLS, config_map

VIP = "172.16.10.0/32"


class Maps:
    """The node's maps, empty at first; `broken` ones take nothing."""

    def __init__(self, _: Iterable[int]) -> None:
        self.broken = False
        self.looks = 0
        """For sockets whose backend is gone."""

    def services(self) -> dict[Any, Any]:
        return {}

    def remembered(self) -> LastIds:
        return NOTHING

    def read(self, _: str) -> dict[bytes, bytes]:
        return {}

    def carry_out(self, operations: Iterable[Operation]) -> None:
        if self.broken and list(operations):
            raise BpfError("write", 7)

    def end_stale_sockets(self) -> list[Connected]:
        self.looks += 1
        return []


class Flows:
    """A flow log that only knows names."""

    directory = Directory()

    def set_nodes(self, nodes: Any) -> None:
        """Nobody asks."""


class Programs:
    mtu = pod_mtu = 1500

    def attach(self, pod: Any) -> None:
        """There are no pods here."""


class Node:
    """An agent on fakes, over a cluster with one service; `told` is what FRR got."""

    def __init__(
        self, run_dir: Path, told: list[BgpConfig], profile_name: str = "cilium-1.10"
    ) -> None:
        config = replace(CONFIG, run_dir=run_dir)
        self.told = told
        self.agent = Agent(
            config, profile(profile_name, {}), NOBODY, Programs(), Flows(), BgpMetrics()
        )
        cluster = self.agent.cluster
        for mirror in cluster.mirrors:
            mirror.complete = True
        cluster.nodes.objects = {CONFIG.node: node(CONFIG.node, "192.168.1.21", "10.0.1.0/24")}
        cluster.services.objects = {"default/web1-lb": service()}
        cluster.slices.objects = {"default/x": endpoint_slice(endpoint("10.0.1.2"))}
        cluster._slice_changed("default/x")
        cluster.config_maps.objects = config_map(PEERS + POOLS)
        self.agent._changed(Service, "default/web1-lb")

    def maps_hold_the_services(self) -> None:
        asyncio.run(self.agent._settle_services())

    def ways_lead_to_all_nodes(self) -> None:
        asyncio.run(self.agent._settle_places())

    def announced(self) -> list[str] | None:
        """What FRR announces now; None while it was told nothing."""
        asyncio.run(self.agent._announcing.settle())
        return [str(each.prefix) for each in self.told[-1].advertisements] if self.told else None


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Node]:
    told: list[BgpConfig] = []

    def apply(_: Speaker, config: BgpConfig) -> list[str]:
        told.append(config)
        return []

    with patch.object(Speaker, "apply", apply), patch("lab.agent.agent.NodeMaps", Maps):
        yield Node(tmp_path, told)


def test_announced_when_maps_and_ways_are_there(here: Node) -> None:
    here.maps_hold_the_services()
    here.ways_lead_to_all_nodes()
    assert here.announced() == [VIP]


def test_not_before_the_ways_lead_to_all_nodes(here: Node) -> None:
    here.maps_hold_the_services()
    assert here.announced() is None
    here.agent.cluster.pods.complete = False
    here.ways_lead_to_all_nodes()
    assert here.announced() is None, "where the pods are is not known"
    here.agent.cluster.pods.complete = True
    here.ways_lead_to_all_nodes()
    assert here.announced() == [VIP]


def test_not_before_the_maps_hold_the_services(here: Node) -> None:
    here.ways_lead_to_all_nodes()
    assert here.announced() is None
    here.maps_hold_the_services()
    assert here.announced() == [VIP]


def test_not_when_a_map_is_full(here: Node) -> None:
    here.maps_hold_the_services()
    here.agent._neighbourhood._maps.broken = True  # type: ignore[attr-defined]
    with pytest.raises(BpfError):
        here.ways_lead_to_all_nodes()
    assert here.announced() is None
