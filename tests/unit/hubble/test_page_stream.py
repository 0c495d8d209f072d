"""What an open web page is told, when, and what it costs while nobody looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import pytest

from lab.hubble.api import flow_pb2, observer_pb2
from lab.hubble.filters.message_view import MessageView
from lab.hubble.ui import app
from lab.hubble.ui.filter_text import Choice
from lab.hubble.ui.hub import RATE_WINDOW, Cluster, Hub, describe
from lab.hubble.ui.viewer import ROWS, View

from .page_given import Upstream, filled, flows


def test_a_browser_is_told_what_there_is_and_then_what_is_new() -> None:
    hub = asyncio.run(filled(flows()))
    view = View(Choice("default", "dropped"), frozenset())
    hub.join(view)
    events = {name: json.loads(text) for name, text in view.tick(hub)}
    assert events["status"] == {
        "rate": 0.0,
        "connected": 5,
        "total": 6,
        "unavailable": ["k8s-worker2"],
        "namespaces": ["default", "kube-system"],
        "reachable": True,
        "lost": 7,
    }
    assert [card["title"] for card in events["map"]["cards"]] == ["web1", "world"]
    assert [each["verdict"] for each in events["flows"]["rows"]] == ["dropped"]
    assert [name for name, _ in view.tick(hub)] == []
    view.take(MessageView(flows()[4]))
    assert [name for name, _ in view.tick(hub)] == ["map", "flows"]


class Late(Upstream):
    """Its flows come when they are let."""

    def __init__(self, known: Sequence[flow_pb2.Flow]) -> None:
        super().__init__(known)
        self.let = asyncio.Event()

    async def flows(
        self, request: observer_pb2.GetFlowsRequest
    ) -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        await self.let.wait()
        async for response in super().flows(request):
            yield response


def test_the_first_flows_wait_for_no_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is opened before its flows are there shows them as soon as they are."""
    monkeypatch.setattr(app, "TICK", 3600.0)

    async def story() -> None:
        upstream = Late(flows())
        hub = Hub(upstream)
        reading = asyncio.create_task(hub.read())
        stream = app.follow(hub, View(Choice(), frozenset()))
        told = await anext(stream)
        assert '"cards":[]' in told
        upstream.let.set()
        while '"title":"web1"' not in told:
            told = await anext(stream)
        reading.cancel()

    asyncio.run(asyncio.wait_for(story(), 20))


class Counted(Upstream):
    """Knows whether it is being asked, and for what."""

    asked: list[observer_pb2.GetFlowsRequest]
    asking = 0

    async def flows(
        self, request: observer_pb2.GetFlowsRequest
    ) -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        self.asked = [*getattr(self, "asked", []), request]
        self.asking += 1
        try:
            async for response in super().flows(request):
                yield response
        finally:
            self.asking -= 1


def test_flows_are_followed_only_while_somebody_looks() -> None:
    async def story() -> None:
        upstream = Counted(flows())
        hub = Hub(upstream, linger=0.01)
        reading = asyncio.create_task(hub.read())
        view = View(Choice(), frozenset())

        async def until(asking: int) -> None:
            while upstream.asking != asking:
                await asyncio.sleep(0.001)

        hub.join(view)
        await until(1)
        hub.leave(view)
        await until(0)
        assert len(upstream.asked) == 1
        hub.look()
        await until(1)
        await until(0)
        assert all(request.number and request.follow for request in upstream.asked)
        reading.cancel()

    asyncio.run(asyncio.wait_for(story(), 20))


def test_the_rate_is_that_of_the_flows_times() -> None:
    """What is fetched when a page opens was seen long before."""
    now = flows()[0]
    now.time.GetCurrentTime()
    hub = asyncio.run(filled([*flows(), *([now] * 10)]))
    assert hub.rate() == 10 / RATE_WINDOW


def test_a_flood_is_cut_to_its_newest_rows_and_counted() -> None:
    view = View(Choice(), frozenset())
    for _ in range(1000):
        view.take(MessageView(flows()[0]))
    events = dict(view.tick(Hub(Upstream([]))))
    told = json.loads(events["flows"])
    assert (len(told["rows"]), told["skipped"], told["matched"]) == (ROWS, 1000 - ROWS, 1000)


def test_nothing_connected_is_said() -> None:
    assert describe(Cluster(), 0.0, 0)["reachable"] is False
