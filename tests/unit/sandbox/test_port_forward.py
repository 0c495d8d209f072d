"""The first node that answers, of several, within a time."""

from __future__ import annotations

import asyncio
import socket

import pytest

from lab.errors import SandboxError
from lab.sandbox.port_forward import first_answering

LOOPBACK = "127.0.0.1"
AMPLE = 30.0


def closed_port() -> tuple[str, int]:
    """Bound and not listening: whoever connects is refused, for as long as the socket lives."""
    with socket.socket() as reserved:
        reserved.bind((LOOPBACK, 0))
        address: tuple[str, int] = reserved.getsockname()
    return address


def test_a_node_that_refuses_is_passed_over() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        targets = [closed_port(), listener.getsockname()]
        with asyncio.run(first_answering(targets, AMPLE)) as connection:
            assert connection.getpeername() == listener.getsockname()


def test_a_service_that_comes_late_is_waited_for() -> None:
    async def run() -> tuple[str, int]:
        with socket.socket() as listener:
            listener.bind((LOOPBACK, 0))
            waiting = asyncio.ensure_future(first_answering([listener.getsockname()], AMPLE))
            await asyncio.sleep(0)
            assert not waiting.done()
            listener.listen()
            with await waiting as connection:
                address: tuple[str, int] = connection.getpeername()
                assert address == listener.getsockname()
                return address

    assert asyncio.run(run())[0] == LOOPBACK


def test_the_end_of_patience_names_who_was_asked() -> None:
    address, port = target = closed_port()
    with pytest.raises(SandboxError, match=f"no node answered within 0 s: asked {address}:{port}"):
        asyncio.run(first_answering([target], 0))
