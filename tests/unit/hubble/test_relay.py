"""The relay's merge: order by time, patience with silent nodes, bounded memory, ends and errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import Mock

import grpc
import pytest

from lab.errors import MachineError
from lab.hubble.api import flow_pb2, observer_pb2
from lab.hubble.observer import CAPACITY, Observer
from lab.hubble.relay.gateway import default_gateway
from lab.hubble.relay.merge import AHEAD, Merge
from lab.hubble.service.node import NodeService

from . import article

NEVER = 3600.0


def response(node: str, at: int) -> observer_pb2.GetFlowsResponse:
    message = observer_pb2.GetFlowsResponse(flow=flow_pb2.Flow(), node_name=node)
    message.time.FromNanoseconds(at)
    return message


async def stream(node: str, *times: int) -> AsyncIterator[observer_pb2.GetFlowsResponse]:
    for at in times:
        yield response(node, at)


def quiet(_name: str, _error: BaseException | None) -> None:
    return None


async def taken(merge: Merge) -> list[tuple[str, int]]:
    return [
        (each.node_name, each.time.ToNanoseconds()) async for each in merge.responses(endless=False)
    ]


def test_streams_come_out_in_the_order_of_time() -> None:
    async def run() -> list[tuple[str, int]]:
        merge = Merge(NEVER)
        merge.add("a", stream("a", 1, 4, 5_000_000_000), quiet)
        merge.add("b", stream("b", 2, 3, 6), quiet)
        merge.add("c", stream("c"), quiet)
        return await taken(merge)

    assert asyncio.run(run()) == [
        ("a", 1),
        ("b", 2),
        ("b", 3),
        ("a", 4),
        ("b", 6),
        ("a", 5_000_000_000),
    ]


def test_a_silent_node_holds_up_the_others_only_for_a_while() -> None:
    async def silent() -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        await asyncio.Event().wait()
        yield response("never", 0)

    async def run() -> list[tuple[str, int]]:
        merge = Merge(0.01)
        merge.add("mute", silent(), quiet)
        merge.add("a", stream("a", 1, 2), quiet)
        answer = merge.responses(endless=False)
        first = [await answer.__anext__(), await answer.__anext__()]
        merge.close()
        return [(each.node_name, each.time.ToNanoseconds()) for each in first]

    assert asyncio.run(run()) == [("a", 1), ("a", 2)]


def test_nobody_reads_so_no_more_than_a_bounded_part_is_taken_from_a_node() -> None:
    produced = 0

    async def endless() -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        nonlocal produced
        while True:
            produced += 1
            yield response("a", produced)

    async def run() -> None:
        merge = Merge(NEVER)
        merge.add("a", endless(), quiet)
        for _ in range(5 * AHEAD):
            await asyncio.sleep(0)
        merge.close()

    asyncio.run(run())
    assert produced == AHEAD + 1


def test_the_relays_own_words_come_first_and_an_end_may_leave_one() -> None:
    def last_word(name: str, error: BaseException | None) -> observer_pb2.GetFlowsResponse:
        assert error is None
        return response(f"end of {name}", 0)

    async def run() -> list[tuple[str, int]]:
        merge = Merge(NEVER)
        merge.add("a", stream("a", 7), last_word)
        merge.notice(response("relay", 99))
        return await taken(merge)

    assert asyncio.run(run()) == [("relay", 99), ("end of a", 0), ("a", 7)]


def test_a_node_may_join_while_others_are_read() -> None:
    async def run() -> list[str]:
        merge = Merge(0.01)
        merge.add("a", stream("a", 1), quiet)
        answer = merge.responses(endless=True)
        names = [(await answer.__anext__()).node_name]
        assert not merge.has("a")
        merge.add("b", stream("b", 2), quiet)
        names.append((await answer.__anext__()).node_name)
        return names

    assert asyncio.run(run()) == ["a", "b"]


def test_default_gateway_is_read_from_the_kernels_table(tmp_path: Path) -> None:
    routes = tmp_path / "route"
    header = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    local = "eth0\t0103000A\t00000000\t0001\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n"
    default = "eth0\t00000000\t0103000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    routes.write_text(header + local + default)
    assert str(default_gateway(routes)) == "10.0.3.1"
    routes.write_text(header + local)
    with pytest.raises(MachineError, match="--peer-service"):
        default_gateway(routes)


def test_six_full_rings_come_out_in_order_and_whole() -> None:
    async def answers(node: int) -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        observer = Observer(f"n{node}", article.pod_node())
        for step in range(CAPACITY + 5):
            event = article.trace(article.TO_ENDPOINT, article.client_to_pod(article.SYN))
            observer.feed(event, at=10**9 * (1 + 6 * step + node))
        request = observer_pb2.GetFlowsRequest(number=(1 << 64) - 1, field_mask={"paths": ["time"]})
        for each in NodeService(observer).get_flows(request, Mock(grpc.ServicerContext)):
            yield each

    async def story() -> None:
        merge = Merge(NEVER)
        for node in range(6):
            merge.add(f"n{node}", answers(node), quiet)
        seconds = [at // 10**9 for _, at in await taken(merge)]
        # The first five of each were overwritten; from there on time goes without a gap.
        assert seconds == list(range(31, 31 + 24_570))

    asyncio.run(story())
