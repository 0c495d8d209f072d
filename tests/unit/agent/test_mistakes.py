"""A service that asks for what there is not: it is served, and whoever wrote it is told."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address
from typing import Any, cast

import pytest
from lightkube.resources.core_v1 import Event, Service

from lab.agent.cluster import Cluster
from lab.agent.complaints import Complaints
from lab.agent.maps import NodeMaps
from lab.agent.profile import profile
from lab.agent.services.balancing import Balancing
from lab.agent.services.remembered import NOTHING, LastIds
from lab.agent.services.translate import Place
from tests.unit.agent.objects import service

NAME = "default/web1-lb"


class Server:
    """Takes events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def create(self, event: Event) -> None:
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
            task = asyncio.create_task(self._complaints.run())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()

        asyncio.run(run())
        return [str(event.message) for event in self.server.events]

    def _find(self, name: str) -> Service | None:
        return self.cluster.services.objects.get(name)


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
    note: str, value: str, there_are: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent()
    agent.hear(annotated(**{note: value}))

    [message] = agent.messages()
    assert f"there is no '{value}', only {there_are}" in message
    event = agent.server.events[0]
    assert event.involvedObject.kind == "Service"
    assert event.involvedObject.name == "web1-lb"
    assert value in caplog.text
    assert agent.balancing.served() == {
        IPv4Address(each) for each in ("10.106.236.120", "0.0.0.0", "192.168.1.21", "172.16.10.0")
    }


def test_it_is_told_once_and_again_when_it_comes_back() -> None:
    agent = Agent()
    agent.hear(annotated(lb_algorithm="fastest"))
    agent.hear(annotated(lb_algorithm="fastest"))
    assert len(agent.messages()) == 1
    agent.hear(annotated(lb_algorithm="maglev"))
    agent.hear(annotated(lb_algorithm="fastest"))
    assert len(agent.messages()) == 2


def test_a_service_that_cannot_be_balanced_says_why() -> None:
    agent = Agent()
    agent.hear(service(loadBalancerSourceRanges=["10.0.0.0/33"]))

    [message] = agent.messages()
    assert "not balanced" in message
    assert "10.0.0.0/33" in message
    assert agent.balancing.served() == set()


def test_what_is_known_is_no_mistake() -> None:
    agent = Agent()
    agent.hear(annotated(lb_algorithm="random", forwarding_mode="dsr", src_ranges_policy="deny"))
    agent.hear(annotated(lb_algorithm=""))
    agent.hear(None)
    assert agent.messages() == []
