"""A node announces a VIP once it can serve it: maps and ways to all nodes first, then BGP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from lightkube.resources.core_v1 import Service

from lab.agent.agent import Agent
from lab.agent.bgp.metrics import BgpMetrics
from lab.agent.flows.lookup import Directory
from lab.agent.places import ENDPOINTS, endpoint_key
from lab.agent.pods.local import LocalPod
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
from tests.unit.agent.test_places import LOCAL

VIP = "172.16.10.0/32"


class Maps:
    """The node's maps, empty at first; `broken` ones take nothing."""

    def __init__(self, _: Iterable[int]) -> None:
        self.broken = False
        self.looks = 0
        """For sockets whose backend is gone."""
        self.done: list[Operation] = []

    def services(self) -> dict[Any, Any]:
        return {}

    def remembered(self) -> LastIds:
        return NOTHING

    def read(self, _: str) -> dict[bytes, bytes]:
        return {}

    def carry_out(self, operations: Iterable[Operation]) -> None:
        operations = list(operations)
        if self.broken and operations:
            raise BpfError("write", 7)
        self.done += operations

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

    def __init__(self) -> None:
        self.attached: Callable[[LocalPod], None] = lambda _: None

    def attach(self, pod: LocalPod) -> None:
        self.attached(pod)


class Node:
    """An agent on fakes, over a cluster with one service; `told` is what FRR got."""

    def __init__(
        self, run_dir: Path, told: list[BgpConfig], profile_name: str = "cilium-1.10"
    ) -> None:
        config = replace(CONFIG, run_dir=run_dir)
        self.told = told
        self.programs = Programs()
        self.agent = Agent(
            config, profile(profile_name, {}), NOBODY, self.programs, Flows(), BgpMetrics()
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


def test_a_pod_is_in_the_maps_before_its_programs_run_and_no_more_when_it_is_gone(
    here: Node,
) -> None:
    """They answer its first request for an address from the entry."""
    maps: Any = here.agent._neighbourhood._maps
    seen: list[bool] = []

    def written() -> list[bool]:
        place = (ENDPOINTS, endpoint_key(LOCAL))
        return [each.value is not None for each in maps.done if (each.map, each.key) == place]

    here.programs.attached = lambda _: seen.extend(written())
    asyncio.run(here.agent.attach(LOCAL))
    assert seen == [True]
    asyncio.run(here.agent.detach(LOCAL))
    assert written() == [True, False]


def test_not_when_a_map_is_full(here: Node) -> None:
    here.maps_hold_the_services()
    here.agent._neighbourhood._maps.broken = True  # type: ignore[attr-defined]
    with pytest.raises(BpfError):
        here.ways_lead_to_all_nodes()
    assert here.announced() is None
