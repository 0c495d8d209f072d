"""The article's flows, and a relay that tells them to the web page's server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from lab.hubble.api import flow_pb2, observer_pb2
from lab.hubble.lookup import Endpoint
from lab.hubble.observer import Observer
from lab.hubble.query import Selection, select
from lab.hubble.record import Record
from lab.hubble.ui.hub import Hub

from . import article
from .article import ACK, PSH, REPLY, SYN, TO_ENDPOINT, TO_OVERLAY, TO_STACK


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
