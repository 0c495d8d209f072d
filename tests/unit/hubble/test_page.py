"""The web page's server: the filter box's language, the map, rows, and safe answers."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.errors import InputError
from lab.hubble.api import flow_pb2, observer_pb2
from lab.hubble.filters.message_view import MessageView
from lab.hubble.lookup import Endpoint
from lab.hubble.observer import Observer
from lab.hubble.query import Selection, select
from lab.hubble.record import Record
from lab.hubble.ui import app
from lab.hubble.ui.app import application
from lab.hubble.ui.cards import card_of
from lab.hubble.ui.document import STATIC, assemble
from lab.hubble.ui.filter_text import Choice
from lab.hubble.ui.hub import RATE_WINDOW, Cluster, Hub, describe
from lab.hubble.ui.rows import row
from lab.hubble.ui.service_map import MOST_LINKS, ServiceMap
from lab.hubble.ui.viewer import ROWS, View, predicate

from . import article
from .article import ACK, PSH, REPLY, SYN, TO_ENDPOINT, TO_OVERLAY, TO_STACK

NAMES = ("probe", "answer", "overlay", "redirected", "dropped", "dns")


def flows() -> list[flow_pb2.Flow]:
    directory = article.pod_node()
    dns = Endpoint(4711, 12, "kube-system", "coredns-5d4dd4b4db-x2x8z", ("k8s:k8s-app=kube-dns",))
    directory.endpoints[article.packed("10.0.4.7")] = dns
    observer = Observer("k8s-worker3", directory)
    probe = ("10.0.3.103", 48278)
    for event in (
        article.trace(TO_ENDPOINT, article.client_to_pod(SYN, *probe), source=77),
        article.trace(TO_STACK, article.pod_to(*probe, ACK | PSH), reason=REPLY, source=77),
        article.trace(TO_OVERLAY, article.client_to_pod(ACK), identities=(2, 0)),
        article.trace(TO_ENDPOINT, article.client_to_pod(SYN, "10.0.4.105"), source=77),
        article.drop(158, article.client_to_pod(SYN, "203.0.113.9"), identities=(2, 0)),
        article.trace(
            TO_ENDPOINT, article.frame(article.POD, "10.0.4.7", protocol=17, ports=(4000, 53))
        ),
    ):
        observer.feed(event, at=1_700_000_000_000_000_000)
    return [
        observer.writer.write(each)
        for each in select(observer.flows, Selection())
        if isinstance(each, Record)
    ]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), "probe answer overlay redirected dropped dns"),
        (Choice("default"), "probe answer overlay redirected dropped dns"),
        (Choice("kube-system"), "dns"),
        (Choice("elsewhere"), ""),
        (Choice(verdict="dropped"), "dropped"),
        (Choice(entries=("ip=10.0.3.103",)), "probe answer"),
        (Choice(entries=("10.0.3.103",)), "probe answer"),
        (Choice(entries=("from:ip=10.0.3.0/24",)), "probe answer dns"),
        (Choice(entries=("label k8s-app=kube-dns",)), "dns"),
        (Choice(entries=("k8s-app=kube-dns",)), "dns"),
        (Choice(entries=("to: label svc=web1-lb",)), "probe overlay redirected dropped"),
        (Choice(entries=("identity=6",)), "redirected"),
        (Choice(entries=("pod=coredns",)), "dns"),
        (Choice(entries=("from:pod=default/web1",)), "answer dns"),
        (Choice(entries=("web1",)), "probe answer overlay redirected dropped dns"),
        (Choice(entries=("workload=web1", "port=53")), "dns"),
        (Choice(entries=("identity=6", "identity=4711")), "redirected dns"),
        (Choice(entries=("tcp-flag=psh",)), "answer"),
        (Choice(entries=("protocol=udp",)), "dns"),
        (Choice(entries=("!protocol=udp", "! label reserved:world")), "probe answer redirected"),
        (Choice("default", "forwarded", ("identity=host", "!tcp-flag=SYN")), "answer"),
        (Choice(entries=("dns=*.example",)), ""),
    ],
)
def test_filter_box(choice: Choice, expected: str) -> None:
    passes = predicate(choice)
    views = [MessageView(flow) for flow in flows()]
    found = [name for name, view in zip(NAMES, views, strict=True) if passes(view)]
    assert " ".join(found) == expected


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(entries=("ip=1.2.3.400",)), "invalid IP address or CIDR '1.2.3.400'"),
        (Choice(entries=("",)), "cannot read the filter ''"),
        (Choice(entries=("identity=somebody",)), "invalid security identity 'somebody'"),
        (Choice(entries=("tcp-flag=X",)), "unknown TCP flag 'X'"),
        (Choice(verdict="maybe"), "unknown verdict 'maybe'"),
    ],
)
def test_what_the_filter_box_cannot_read(choice: Choice, words: str) -> None:
    with pytest.raises(InputError, match=words):
        predicate(choice)


def test_map_of_the_article() -> None:
    picture = ServiceMap()
    told = [picture.add(flow) for flow in flows()]
    assert told == [True, True, False, True, True, True]
    drawn = picture.picture()
    assert [(card["title"], card["ports"]) for card in drawn["cards"]] == [
        ("web1", [{"port": 80, "protocol": "TCP"}]),
        ("host", []),
        ("kube-dns", [{"port": 53, "protocol": "UDP"}]),
        ("remote-node", []),
        ("world", []),
    ]
    web1 = "default/35812"
    assert [
        (link["source"], link["destination"], link["port"], link["verdicts"])
        for link in drawn["links"]
    ] == [
        (web1, "kube-system/4711", 53, {"forwarded": 1}),
        ("host", web1, 80, {"forwarded": 2}),
        ("remote-node", web1, 80, {"forwarded": 1}),
        ("world", web1, 80, {"dropped": 1}),
    ]


def test_visual_menu_hides_cards_and_whoever_had_only_links_to_them() -> None:
    picture = ServiceMap()
    for flow in flows():
        picture.add(flow)
    shown = picture.picture(frozenset({"host", "remote-node", "kube-dns"}))
    assert [card["title"] for card in shown["cards"]] == ["web1", "world"]


def test_the_maps_version_changes_with_its_shape_only() -> None:
    picture = ServiceMap()
    first, answer, *_ = flows()
    picture.add(first)
    version = picture.version
    picture.add(first)
    picture.add(answer)
    assert picture.version == version


def test_a_scan_of_ports_does_not_fill_the_map() -> None:
    picture = ServiceMap()
    drop = flows()[4]
    for port in range(1, 2 * MOST_LINKS + 1):
        drop.l4.TCP.destination_port = port
        picture.add(drop)
    assert (len(picture.picture()["links"]), picture.undrawn) == (MOST_LINKS, MOST_LINKS)
    drop.l4.TCP.destination_port = 1
    assert picture.add(drop)


@pytest.mark.parametrize(
    ("endpoint", "title"),
    [
        ({"namespace": "a", "identity": 300, "labels": ["k8s:app=shop"]}, "shop"),
        (
            {
                "namespace": "a",
                "identity": 300,
                "labels": ["k8s:app=x", "k8s:app.kubernetes.io/name=shop"],
            },
            "shop",
        ),
        ({"namespace": "a", "identity": 300, "workloads": [{"name": "web1"}]}, "web1"),
        ({"namespace": "a", "identity": 300, "labels": ["k8s:svc=web1-lb"]}, "Unknown App"),
        ({"identity": 6}, "remote-node"),
        ({"identity": 7, "labels": ["reserved:kube-apiserver"]}, "kube-apiserver"),
        ({}, "unknown"),
    ],
)
def test_names_of_cards(endpoint: dict[str, Any], title: str) -> None:
    assert card_of(flow_pb2.Endpoint(**endpoint)).title == title


def test_a_pod_that_is_gone_has_the_card_of_its_identity() -> None:
    labels = ["k8s:io.kubernetes.pod.namespace=a", "k8s:app=shop"]
    living = flow_pb2.Endpoint(namespace="a", pod_name="shop-1", identity=300, labels=labels)
    gone = flow_pb2.Endpoint(identity=300, labels=labels)
    assert card_of(gone) == card_of(living)


def test_row_of_a_drop() -> None:
    told = row(flows()[4])
    assert (told["verdict"], told["reason"], told["flags"]) == (
        "dropped",
        "Service backend not found",
        ["SYN"],
    )
    assert (told["time"], told["source"]["title"], told["source"]["address"]) == (
        1_700_000_000_000,
        "world",
        "203.0.113.9",
    )


class Upstream:
    """Some flows, then silence."""

    def __init__(self, known: Sequence[flow_pb2.Flow]) -> None:
        self.known = known

    async def flows(
        self, _request: observer_pb2.GetFlowsRequest
    ) -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        for flow in self.known:
            yield observer_pb2.GetFlowsResponse(flow=flow)
        yield observer_pb2.GetFlowsResponse(lost_events=flow_pb2.LostEvent(num_events_lost=7))
        await asyncio.Event().wait()

    async def status(self) -> observer_pb2.ServerStatusResponse:
        status = observer_pb2.ServerStatusResponse(unavailable_nodes=["k8s-worker2"])
        status.num_connected_nodes.value = 5
        return status

    async def namespaces(self) -> Sequence[str]:
        return ["kube-system", "default"]


async def filled(known: Sequence[flow_pb2.Flow]) -> Hub:
    hub = Hub(Upstream(known))
    hub.look()
    tasks = [asyncio.create_task(hub.read()), asyncio.create_task(hub.watch())]
    while not (hub.lost and hub.cluster.reachable):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    return hub


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


def ask(
    path: str,
    known: Sequence[flow_pb2.Flow] | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    async def run() -> httpx.Response:
        hub = await filled(flows() if known is None else known)
        transport = httpx.ASGITransport(application(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hubble") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(run())


@pytest.mark.parametrize("path", ["/", "/default", "/no/such/page", "/healthz"])
def test_every_answer_lets_the_page_use_its_own_parts_only(path: str) -> None:
    answer = ask(path)
    assert answer.status_code == (404 if path == "/no/such/page" else 200)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_one_document_holds_all_that_the_page_is_made_of() -> None:
    page = ask("/default").text
    assert "/static/" not in page
    for part in ("class FilterBox", "class ServiceMap", ".pulse i {", "data:image/svg+xml;base64,"):
        assert part in page
    allowed = assemble().policy
    parts = [("script", "<script>"), ("script", '<script type="module">'), ("style", "<style>")]
    for kind, element in parts:
        content = page.partition(element)[2].partition(f"</{kind}>")[0]
        digest = b64encode(sha256(content.encode()).digest()).decode()
        sources = allowed.partition(f"{kind}-src ")[2].partition(";")[0].split()
        assert f"'sha256-{digest}'" in sources
    assert page.count("<script") == 2


def test_the_stream_is_opened_before_the_page_is_parsed() -> None:
    page = assemble().body.decode()
    head = page.partition("<style>")[0]
    assert "new EventSource(" in head


def test_a_browser_that_has_the_page_is_told_so() -> None:
    first = ask("/default")
    assert first.headers["content-encoding"] == "gzip"
    again = ask("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = ask("/", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == first.text


def test_details_of_a_flow_by_its_id() -> None:
    known = flows()
    found = ask(f"/api/flows/{known[0].uuid}", known).json()
    assert (found["uuid"], found["l4"]["TCP"]["source_port"]) == (known[0].uuid, 48278)
    assert ask("/api/flows/none").json() == {"problem": "this flow is not kept any more"}


def test_the_page_has_no_markup_from_data_and_no_foreign_resource() -> None:
    own = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".html", ".css")]
    assert len(own) > 15
    for path in own:
        if path.parent.name != "vendor":
            text = path.read_text()
            for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
                assert word not in text, path
            outside = text.replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in outside, path
            assert "https://" not in outside, path


def test_the_vendored_library_keeps_its_licence() -> None:
    licence = Path(STATIC / "vendor" / "dagre.esm.js.LICENSE.txt").read_text()
    assert "Permission is hereby granted, free of charge" in licence
