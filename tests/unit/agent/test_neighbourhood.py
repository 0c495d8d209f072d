"""Who is where, in a node's maps and routes: what is written when something changes, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import pytest

from lab.agent import neighbourhood
from lab.agent.cluster import Cluster
from lab.agent.flows.lookup import Directory
from lab.agent.identity import labels_of, number_of
from lab.agent.maps import NodeMaps
from lab.agent.neighbourhood import Neighbourhood
from lab.agent.places import ENDPOINTS, IPCACHE, endpoint_key
from lab.agent.services.table import Operation
from lab.bpf import structs
from lab.bpf.codes import Identity
from lab.errors import BpfError
from tests.unit.agent.agent_config import CONFIG
from tests.unit.agent.objects import node, pod
from tests.unit.agent.test_announcing import NOBODY
from tests.unit.agent.test_places import LOCAL


class Maps:
    """A node's maps; `broken` ones take nothing."""

    def __init__(self) -> None:
        self.held: dict[str, dict[bytes, bytes]] = {ENDPOINTS: {}, IPCACHE: {}}
        self.done: list[Operation] = []
        self.broken = False

    def read(self, name: str) -> dict[bytes, bytes]:
        return dict(self.held[name])

    def carry_out(self, operations: Iterable[Operation]) -> None:
        for each in operations:
            if self.broken:
                raise BpfError("writing", 7)
            self.done.append(each)
            if each.value is None:
                del self.held[each.map][each.key]
            else:
                self.held[each.map][each.key] = each.value


class Here:
    """A node of two, on fakes."""

    def __init__(self, *, tunnel: bool = True) -> None:
        self.maps, self.cluster, self._tunnel = Maps(), Cluster(NOBODY, lambda *_: None), tunnel
        self.cluster.nodes.objects = {
            f"k8s-worker{n}": node(f"k8s-worker{n}", f"192.168.1.2{n}", f"10.0.{n}.0/24")
            for n in (1, 2)
        }
        self.cluster.nodes.complete = self.cluster.pods.complete = True
        self.start()

    def start(self) -> None:
        """A new agent."""
        maps = cast(NodeMaps, self.maps)
        self.places = Neighbourhood(CONFIG, self.cluster, maps, Directory(), tunnel=self._tunnel)

    def settle(self) -> list[Operation]:
        """What was written."""
        self.maps.done.clear()
        asyncio.run(self.places.settle())
        return list(self.maps.done)

    def identity(self) -> int:
        held = self.maps.held[ENDPOINTS][endpoint_key(LOCAL)]
        return int(structs.endpoint_info.parse(held).sec_id)


def test_only_what_changed_is_written() -> None:
    here = Here()
    here.settle()
    assert here.settle() == []
    here.cluster.pods.objects = {"default/b": pod("b", "10.0.2.9", "192.168.1.22")}
    assert [(each.map, each.value is None) for each in here.settle()] == [(IPCACHE, False)]
    here.cluster.pods.objects = {}
    assert [(each.map, each.value is None) for each in here.settle()] == [(IPCACHE, True)]
    here.start()
    assert here.settle() == [], "a new agent reads what is there"


def test_what_could_not_be_written_is_written_next_time() -> None:
    here, sound = Here(), Here()
    sound.settle()
    here.maps.broken = True
    with pytest.raises(BpfError):
        here.settle()
    assert not here.places.settled
    here.maps.broken = False
    here.settle()
    assert here.maps.held == sound.maps.held
    assert here.places.settled


@pytest.mark.parametrize("missing", ["nodes", "pods"])
def test_nothing_is_known_before_all_objects_are(missing: str) -> None:
    here = Here()
    getattr(here.cluster, missing).complete = False
    assert here.settle() == []
    assert not here.places.settled


def test_a_pod_s_identity_is_its_labels_and_meanwhile_the_one_it_had() -> None:
    here, web = Here(), pod("web1-a", "10.0.1.7", "192.168.1.21", app="web")
    here.places.pods = {"web1-a": LOCAL}
    here.places.settle_local()
    assert here.identity() == Identity.INIT
    here.cluster.pods.objects = {"default/web1-a": web}
    here.places.settle_local()
    assert here.identity() == number_of(labels_of(web))
    here.cluster.pods.objects = {}
    here.start()
    here.places.pods = {"web1-a": LOCAL}
    here.places.settle_local()
    assert here.identity() == number_of(labels_of(web))
    here.places.pods = {}
    here.places.settle_local()
    assert endpoint_key(LOCAL) not in here.maps.held[ENDPOINTS]


def test_routes_are_set_once_and_again_where_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a tunnel: each node's pods behind its own address."""
    here, said, failing = Here(tunnel=False), list[tuple[Any, str]](), [True]

    def run(words: list[str], *, input: str) -> None:
        said.append((words, input))
        if failing:
            failing.pop()
            raise BpfError("no route", 101)

    monkeypatch.setattr(neighbourhood, "run", run)
    with pytest.raises(BpfError):
        here.settle()
    assert not here.places.settled
    here.settle()
    here.settle()
    there = "route replace 10.0.2.0/24 via 192.168.1.22 dev eth0\n"
    assert said == 2 * [(["ip", "-batch", "-"], there)]
    del here.cluster.nodes.objects["k8s-worker2"]
    here.settle()
    assert said[2:] == [(["ip", "-batch", "-"], "route del 10.0.2.0/24\n")]


def test_through_the_tunnel_there_are_no_routes_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbourhood, "run", lambda *_, **__: pytest.fail("a route"))
    here = Here()
    here.settle()
    assert here.places.settled
