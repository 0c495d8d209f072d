"""A client's connection below HTTP: joined writes, an end to waiting."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from lab.kube.wire import connection
from lab.kube.wire.connection import Connection, JoinedWrites


class Wire(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = asyncio.Event()

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.closed.set()

    def is_closing(self) -> bool:
        return self.closed.is_set()


def test_what_is_written_in_one_turn_is_sent_in_one_piece() -> None:
    async def story() -> list[bytes]:
        wire = Wire()
        joined = JoinedWrites(wire)
        joined.write(b"head ")
        joined.write(b"body")
        await asyncio.sleep(0)
        joined.write(b"last words")
        joined.close()
        return wire.sent

    assert asyncio.run(story()) == [b"head body", b"last words"]


@pytest.mark.parametrize("began", [b"", b"GET /api HTTP/1.1\r\nHost: "])
def test_a_head_that_does_not_come_ends_the_connection(
    began: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_TIMEOUT", 0.01)

    async def nobody(scope: Any, receive: Any, send: Any) -> None:
        """No request comes."""

    async def story() -> None:
        wire = Wire()
        config = uvicorn.Config(nobody, lifespan="off", interface="asgi3")
        client = Connection(config, ServerState(), {})
        client.connection_made(wire)
        client.data_received(began)
        await asyncio.wait_for(wire.closed.wait(), 20)

    asyncio.run(story())
