"""The relay over nodes' servers on unix sockets: one answer, also when nodes go."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from lab.hubble.api import observer_pb2, peer_pb2, recorder_pb2, relay_pb2
from lab.hubble.lookup import Peer
from lab.hubble.observer import Observer
from lab.hubble.relay.peers import RelayPeers
from lab.hubble.relay.pool import Pool
from lab.hubble.relay.recorder import RelayRecorder
from lab.hubble.relay.service import RelayService
from lab.hubble.server import Server, serve
from lab.hubble.service import table

from . import article
from .article import SYN, TO_ENDPOINT

NAMES = ("n0", "n1", "n2")
SIX = ("n0", "n1", "n2", "n3", "n4", "n5")
BOUND = 10.0


@dataclass
class Cluster:
    """Nodes and a relay before them."""

    names: Sequence[str]
    directory: Path
    observers: dict[str, Observer]
    servers: dict[str, Server]
    pool: Pool
    channel: grpc.aio.Channel

    def address(self, name: str) -> str:
        return f"unix://{self.directory}/{name}"

    def call(self, method: str, service: str = table.OBSERVER) -> Callable[..., Any]:
        return table.call(self.channel, service, method)

    def boot(self, name: str, *, count: int = 0) -> None:
        observer = Observer(name, article.pod_node(), capacity=15)
        observer.set_peers(Peer(each, self.address(each)) for each in self.names)
        self.observers[name] = observer
        self.servers[name] = serve(
            observer, [self.address(name)], captures=self.directory, metrics_port=None
        )
        self.feed(name, *range(count))

    def feed(self, name: str, *steps: int) -> None:
        """Flows at times that interleave: of three nodes number i has i, i + 3, i + 6 ..."""
        for step in steps:
            packet = article.client_to_pod(SYN, port=1000 + step)
            at = 10**9 * (1 + len(self.names) * step + self.names.index(name))
            self.observers[name].feed(article.trace(TO_ENDPOINT, packet), at=at)

    async def connected(self, count: int) -> None:
        async with self.pool.changed:
            await asyncio.wait_for(
                self.pool.changed.wait_for(lambda: len(self.pool.connected()) == count), BOUND
            )


@asynccontextmanager
async def running(names: Sequence[str] = NAMES, *, count: int = 4) -> AsyncIterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="hub") as directory:
        pool = Pool()
        server = grpc.aio.server()
        relay = f"unix://{directory}/relay"
        server.add_generic_rpc_handlers(
            (
                table.handler(table.OBSERVER, RelayService(pool, "relay").methods()),
                table.handler(table.PEER, RelayPeers(pool).methods()),
                table.handler(table.RECORDER, RelayRecorder(pool).methods()),
            )
        )
        server.add_insecure_port(relay)
        await server.start()
        async with grpc.aio.insecure_channel(relay) as channel:
            cluster = Cluster(names, Path(directory), {}, {}, pool, channel)
            for name in names:
                cluster.boot(name, count=count)
            discovery = asyncio.create_task(pool.discover(cluster.address("n0")))
            await cluster.connected(len(names))
            yield cluster
            discovery.cancel()
        for each in cluster.servers.values():
            await asyncio.to_thread(each.stop)
        await server.stop(0)
        await pool.close()


def in_cluster(story: Callable[[Cluster], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running() as cluster:
            await story(cluster)

    asyncio.run(run())


def flows_of(answers: list[observer_pb2.GetFlowsResponse]) -> list[tuple[str, int]]:
    return [(a.node_name, a.time.seconds) for a in answers if a.HasField("flow")]


def test_who_asks_right_after_the_start_misses_nothing() -> None:
    async def story(cluster: Cluster) -> None:
        pool = Pool()
        discovery = asyncio.create_task(pool.discover(cluster.address("n0")))
        relay = RelayService(pool, "young")
        answers = [each async for each in relay.flows(observer_pb2.GetFlowsRequest(number=4))]
        assert len(flows_of(answers)) == 3 * 4
        discovery.cancel()
        await pool.close()

    in_cluster(story)


def test_flows_of_all_nodes_by_time_and_a_number_for_each_node() -> None:
    async def story(cluster: Cluster) -> None:
        request = observer_pb2.GetFlowsRequest(number=2)
        answers = [each async for each in cluster.call("GetFlows")(request, timeout=BOUND)]
        status = answers[0].node_status
        assert (status.state_change, list(status.node_names)) == (
            relay_pb2.NODE_CONNECTED,
            list(NAMES),
        )
        assert answers[0].node_name == "relay"
        assert flows_of(answers) == [
            ("n0", 7),
            ("n1", 8),
            ("n2", 9),
            ("n0", 10),
            ("n1", 11),
            ("n2", 12),
        ]

    in_cluster(story)


def test_status_adds_up_and_a_dead_node_is_named() -> None:
    async def story(cluster: Cluster) -> None:
        ask = cluster.call("ServerStatus")
        status = await ask(observer_pb2.ServerStatusRequest(), timeout=BOUND)
        assert (status.num_flows, status.max_flows, status.num_connected_nodes.value) == (12, 45, 3)
        await asyncio.to_thread(cluster.servers["n1"].stop)
        await cluster.connected(2)
        status = await ask(observer_pb2.ServerStatusRequest(), timeout=BOUND)
        assert (status.num_flows, list(status.unavailable_nodes)) == (8, ["n1"])
        nodes = (
            await cluster.call("GetNodes")(observer_pb2.GetNodesRequest(), timeout=BOUND)
        ).nodes
        assert [(node.name, node.state) for node in nodes] == [
            ("n0", relay_pb2.NODE_CONNECTED),
            ("n1", relay_pb2.NODE_UNAVAILABLE),
            ("n2", relay_pb2.NODE_CONNECTED),
        ]

    in_cluster(story)


def test_a_follower_hears_of_a_node_that_goes_and_of_its_flows_when_it_is_back() -> None:
    async def story(cluster: Cluster) -> None:
        request = observer_pb2.GetFlowsRequest(follow=True, number=1)
        stream = cluster.call("GetFlows")(request, timeout=3 * BOUND)
        first = [await stream.read() for _ in range(4)]
        assert flows_of(first) == [("n0", 10), ("n1", 11), ("n2", 12)]
        await asyncio.to_thread(cluster.servers["n1"].stop)
        gone = await stream.read()
        assert gone.node_status.state_change == relay_pb2.NODE_UNAVAILABLE
        assert list(gone.node_status.node_names) == ["n1"]
        await cluster.connected(2)
        cluster.boot("n1")
        back = await stream.read()
        assert back.node_status.state_change == relay_pb2.NODE_CONNECTED
        assert list(back.node_status.node_names) == ["n1"]
        # The new stream begins with what happens after it is open: feed until it is.
        told = asyncio.create_task(stream.read())
        while not told.done():
            cluster.feed("n1", 9)
            await asyncio.wait([told], timeout=0.05)
        assert flows_of([told.result()]) == [("n1", 29)]
        stream.cancel()

    in_cluster(story)


def test_whoever_does_not_read_is_told_by_the_node_what_was_lost() -> None:
    """The relay holds a bounded part of it; what does not fit is lost, and counted, at the node."""

    async def story(cluster: Cluster) -> None:
        request = observer_pb2.GetFlowsRequest(number=1, follow=True)
        request.whitelist.add(node_name=["n0"])
        stream = cluster.call("GetFlows")(request, timeout=60)
        answers = aiter(stream)
        while not flows_of([await anext(answers)]):
            pass
        flood = 40_000
        packets = [article.trace(TO_ENDPOINT, article.client_to_pod(SYN))] * flood
        await asyncio.to_thread(cluster.observers["n0"].feed_many, packets, 10**12)
        received = lost = 0
        while received + lost < flood:
            answer = await anext(answers)
            received += answer.HasField("flow")
            lost += answer.lost_events.num_events_lost
        stream.cancel()
        assert received + lost == flood
        assert lost == cluster.observers["n0"].missed_flows > 0

    in_cluster(story)


def test_two_of_six_nodes_go_and_come_back() -> None:
    async def seen(cluster: Cluster) -> tuple[list[tuple[str, int]], list[str]]:
        """The newest two flows of each node, and the nodes that are said to be missing."""
        request = observer_pb2.GetFlowsRequest(number=2)
        answers = [each async for each in cluster.call("GetFlows")(request, timeout=BOUND)]
        told = [each.node_status for each in answers]
        lost = [each for each in told if each.state_change == relay_pb2.NODE_UNAVAILABLE]
        return flows_of(answers), [name for each in lost for name in each.node_names]

    async def run() -> None:
        async with running(SIX) as cluster:
            whole = [(name, 13 + 6 * step + i) for step in (0, 1) for i, name in enumerate(SIX)]
            assert await seen(cluster) == (whole, [])
            for name in ("n1", "n4"):
                await asyncio.to_thread(cluster.servers[name].stop)
            await cluster.connected(4)
            rest = [flow for flow in whole if flow[0] not in ("n1", "n4")]
            assert await seen(cluster) == (rest, ["n1", "n4"])
            for name in ("n1", "n4"):
                cluster.boot(name, count=4)
            await cluster.connected(6)
            assert await seen(cluster) == (whole, [])

    asyncio.run(run())


def test_a_bad_request_is_refused_by_the_relay_itself() -> None:
    async def story(cluster: Cluster) -> None:
        request = observer_pb2.GetFlowsRequest(whitelist=[{"source_port": ["x"]}])
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await cluster.call("GetFlows")(request, timeout=BOUND).read()
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "invalid port 'x'" in (error.value.details() or "")

    in_cluster(story)


def test_namespaces_and_peers() -> None:
    async def story(cluster: Cluster) -> None:
        for name in NAMES:
            cluster.observers[name].feed(article.trace(TO_ENDPOINT, article.client_to_pod(SYN)))
        asked = observer_pb2.GetNamespacesRequest()
        answer = await cluster.call("GetNamespaces")(asked, timeout=BOUND)
        assert [each.namespace for each in answer.namespaces] == ["default"]
        stream = cluster.call("Notify", table.PEER)(peer_pb2.NotifyRequest(), timeout=BOUND)
        assert [(await stream.read()).name for _ in NAMES] == list(NAMES)
        stream.cancel()

    in_cluster(story)


def test_a_recording_runs_on_every_node() -> None:
    async def story(cluster: Cluster) -> None:
        everything = recorder_pb2.Filter(source_cidr="0.0.0.0/0", destination_cidr="0.0.0.0/0")
        start = recorder_pb2.StartRecording(include=[everything])
        call = cluster.call("Record", table.RECORDER)(timeout=BOUND)
        await call.write(recorder_pb2.RecordRequest(start=start))
        running_on: set[str] = set()
        while running_on != set(NAMES):
            running_on.add((await call.read()).node_name)
        cluster.feed("n1", 9)
        await call.write(recorder_pb2.RecordRequest(stop=recorder_pb2.StopRecording()))
        stopped = {}
        while (report := await call.read()) is not grpc.aio.EOF:
            if report.HasField("stopped"):
                stopped[report.node_name] = report.stopped
        assert {name: each.stats.packets_captured for name, each in stopped.items()} == {
            "n0": 0,
            "n1": 1,
            "n2": 0,
        }
        assert Path(stopped["n1"].filesink.file_path).stat().st_size == 24 + 16 + 54

    in_cluster(story)
