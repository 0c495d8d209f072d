"""The page's server on a socket: what no browser sends, and one that does not read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn

from lab.hubble.api import observer_pb2
from lab.hubble.ui.app import application
from lab.hubble.ui.hub import Hub

from .page_given import Upstream, flows

BOUND = 20.0

Story = Callable[[Hub, str], Awaitable[None]]


class Flood(Upstream):
    """Flows without end, as fast as they are taken."""

    async def flows(
        self, _request: observer_pb2.GetFlowsRequest
    ) -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        while True:
            for flow in self.known:
                flow.time.GetCurrentTime()
                yield observer_pb2.GetFlowsResponse(flow=flow)
            await asyncio.sleep(0)


@asynccontextmanager
async def serving(path: str, hub: Hub) -> AsyncIterator[None]:
    config = uvicorn.Config(application(hub), uds=path, log_level="critical", ws="none")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0)
    yield
    server.force_exit = server.should_exit = True
    await task


def with_server(directory: Path, story: Story, upstream: Upstream) -> None:
    async def run() -> None:
        path, hub = str(directory / "page"), Hub(upstream)
        async with serving(path, hub):
            await asyncio.wait_for(story(hub, path), BOUND)

    asyncio.run(run())


async def answer(path: str, sent: bytes) -> bytes:
    """All that the server says to some bytes before it closes."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(sent)
    writer.write_eof()
    said = await reader.read()
    writer.close()
    return said


GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "begins"),
    [
        (bytes(range(256)) * 40, b"HTTP/1.1 400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", b"HTTP/1.1 "),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", b"HTTP/1.1 405"),
        (b"GET /%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200"),
        (b"GET /api/flows/%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 404"),
        (b"", b""),
    ],
    ids=["binary", "version", "headers", "body", "namespace", "id", "nothing"],
)
def test_whatever_it_is_sent_it_goes_on(sent: bytes, begins: bytes, tmp_path: Path) -> None:
    async def story(_hub: Hub, path: str) -> None:
        try:
            assert (await answer(path, sent)).startswith(begins)
        except ConnectionError:
            assert begins == b"HTTP/1.1 400"  # closed before all of it was sent
        assert (await answer(path, GET)).startswith(b"HTTP/1.1 200")

    with_server(tmp_path, story, Upstream([]))


def test_a_browser_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    async def story(hub: Hub, path: str) -> None:
        _, idle = await asyncio.open_unix_connection(path)
        idle.write(b"GET /api/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        while hub.rate() < 1000:
            assert (await answer(path, GET)).startswith(b"HTTP/1.1 200")
        idle.close()

    with_server(tmp_path, story, Flood(flows()))


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("filter=ip=x", "invalid IP address or CIDR 'x'"),
        ("filter=a&" * 33, "33 filters at once: at most 32 are possible"),
    ],
    ids=["unreadable", "many"],
)
def test_a_bad_filter_is_explained_and_the_nodes_are_told_all_the_same(
    query: str, problem: str, tmp_path: Path
) -> None:
    async def story(_hub: Hub, path: str) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(f"GET /api/stream?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200") and b"text/event-stream" in head
        told = (await reader.readuntil(b'"connected":5')).decode()
        writer.close()
        assert json.dumps({"problem": problem}) in told
        assert told.index("event: problem") < told.index("event: status")
        assert "event: flows" not in told

    with_server(tmp_path, story, Flood(flows()))
