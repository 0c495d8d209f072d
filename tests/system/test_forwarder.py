"""A port of 127.0.0.1 that leads into another network namespace, without a lab."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import shell
from lab.errors import SandboxError
from lab.sandbox.forwarder import HOST, Forwarder, into, socket_in

pytestmark = pytest.mark.system

_ECHO = """
import socket
listener = socket.create_server(("127.0.0.1", 8081))
print("up", flush=True)
while True:
    peer, _ = listener.accept()
    peer.sendall(b"inside:" + peer.recv(100))
    peer.close()
"""


@pytest.fixture
def network() -> Iterator[Path]:
    """The network namespace of a program that answers there."""
    program = f"ip link set lo up && exec python3 -c '{_ECHO}'"
    with shell.spawn(["unshare", "--net", "sh", "-c", program]) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        yield Path(f"/proc/{child.pid}/ns/net")


def test_a_connection_comes_out_in_the_other_namespace(network: Path) -> None:
    here = Path("/proc/thread-self/ns/net").readlink()
    bound: list[int] = []
    listening = threading.Event()

    async def forward() -> None:
        def ready(port: int) -> None:
            bound.append(port)
            listening.set()

        task = asyncio.create_task(Forwarder(into(network, (HOST, 8081))).run(0, ready))
        while not listening.is_set():
            await asyncio.sleep(0)
        assert await asyncio.to_thread(_talk, bound[0]) == b"inside:hello"
        task.cancel()

    asyncio.run(forward())
    assert Path("/proc/thread-self/ns/net").readlink() == here


def test_a_namespace_that_is_gone_is_an_error() -> None:
    with pytest.raises(SandboxError, match="is gone"):
        socket_in(Path("/proc/0/ns/net"))


def _talk(port: int) -> bytes:
    with socket.create_connection((HOST, port), timeout=5) as near:
        near.sendall(b"hello")
        return b"".join(iter(lambda: near.recv(100), b""))
