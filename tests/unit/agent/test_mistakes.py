"""A service that asks for what there is not: it is served, and whoever wrote it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any, cast

import pytest
from lightkube.resources.core_v1 import Event, Service

from lab.agent.cluster import Cluster
from lab.agent.complaints import Complaints
from lab.agent.maps import NodeMaps
from lab.agent.profile import profile
from lab.agent.refused import Refused
from lab.agent.services.balancing import Balancing
from lab.agent.services.remembered import NOTHING, LastIds
from lab.agent.services.translate import Place
from tests.unit.agent.objects import service

NAME = "default/web1-lb"


THE_LAST = Refused("Service", "last", ["nothing more"], reason="Last")
"""Told after all others: who has heard it has heard everything."""
PATIENCE = 10.0
"""Seconds, for a test that fails."""


class Server:
    """Takes events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.heard_all = asyncio.Event()

    async def create(self, event: Event) -> None:
        if event.reason == THE_LAST.reason:
            self.heard_all.set()
        else:
            self.events.append(event)


class Maps:
    """A node's maps, which take everything."""

    def services(self) -> dict[Any, Any]:
        return {}

    def remembered(self) -> LastIds:
        return NOTHING

    def carry_out(self, _: Any) -> None:
        """Nobody looks."""


class Agent:
    """What of an agent balances and complains."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.server = Server()
        client: Any = self.server
        self.cluster = Cluster(client, lambda *_: None)
        self.cluster.services.complete = self.cluster.slices.complete = True
        self._complaints = Complaints(client, "k8s-worker1", lambda about: self._find(about.name))
        place = Place("k8s-worker1", (IPv4Address("192.168.1.21"),), profile("modern", {}))
        maps = cast(NodeMaps, Maps())
        self.balancing = Balancing(self.cluster, maps, place, self._complaints)

    def hear(self, changed: Service | None) -> None:
        """A service as it is now."""
        self.cluster.services.objects = {NAME: changed} if changed else {}
        self.balancing.note(NAME)
        self.balancing.settle()

    def messages(self) -> list[str]:
        """Of the events that were sent."""

        async def run() -> None:
            self.server.heard_all.clear()
            self._complaints.about(THE_LAST)
            task = asyncio.create_task(self._complaints.run())
            await asyncio.wait_for(self.server.heard_all.wait(), PATIENCE)
            task.cancel()
            await asyncio.wait([task])

        self.loop.run_until_complete(run())
        self._complaints.mended(THE_LAST.kind, THE_LAST.name)
        return [str(event.message) for event in self.server.events]

    def _find(self, name: str) -> Service | None:
        known = self.cluster.services.objects.get(name)
        return service(name) if name == THE_LAST.name else known


@pytest.fixture
def agent() -> Iterator[Agent]:
    made = Agent()
    yield made
    made.loop.close()


def annotated(**notes: str) -> Service:
    return service(
        annotations={f"service.cilium.io/{k.replace('_', '-')}": notes[k] for k in notes}
    )


@pytest.mark.parametrize(
    ("note", "value", "there_are"),
    [
        ("lb_algorithm", "Maglev", "maglev and random"),
        ("forwarding_mode", "dsrr", "dsr and snat"),
        ("src_ranges_policy", "refuse", "allow and deny"),
    ],
)
def test_a_value_that_is_not_known_is_an_event_of_the_service(
    agent: Agent, note: str, value: str, there_are: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent.hear(annotated(**{note: value}))

    [message] = agent.messages()
    assert f"there is no '{value}', only {there_are}" in message
    event = agent.server.events[0]
    assert event.involvedObject.kind == "Service"
    assert event.involvedObject.name == "web1-lb"
    assert event.reason == "ServiceNotHeeded"
    assert f"Service {NAME} is not heeded in full" in caplog.text
    assert value in caplog.text
    assert agent.balancing.served() == {
        IPv4Address(each) for each in ("10.106.236.120", "0.0.0.0", "192.168.1.21", "172.16.10.0")
    }


def test_it_is_told_once_and_again_when_it_comes_back(agent: Agent) -> None:
    agent.hear(annotated(lb_algorithm="fastest"))
    agent.hear(annotated(lb_algorithm="fastest"))
    assert len(agent.messages()) == 1
    for mended in (annotated(lb_algorithm="maglev"), None):
        told = len(agent.messages())
        agent.hear(mended)
        agent.hear(annotated(lb_algorithm="fastest"))
        assert len(agent.messages()) == told + 1


def test_a_service_that_cannot_be_balanced_says_why(agent: Agent) -> None:
    agent.hear(service(loadBalancerSourceRanges=["10.0.0.0/33"]))

    [message] = agent.messages()
    assert "not balanced" in message
    assert "10.0.0.0/33" in message
    assert agent.balancing.served() == set()


def test_what_is_known_is_no_mistake(agent: Agent) -> None:
    agent.hear(annotated(lb_algorithm="random", forwarding_mode="dsr", src_ranges_policy="deny"))
    agent.hear(annotated(lb_algorithm=""))
    agent.hear(None)
    assert agent.messages() == []
