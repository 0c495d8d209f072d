"""A port of 127.0.0.1 that leads elsewhere, such as from the host into a node of a lab.

Only sockets are made in the node's network namespace; a socket stays in the namespace it was made
in, so that this process lives on the host and the lab needs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from lab.errors import SandboxError
from lab.sandbox.syscalls import Namespace, enter_open

HOST = "127.0.0.1"
"""Nothing of a lab is offered to other machines."""

CHUNK = 1 << 16


Dial = Callable[[], Awaitable[socket.socket]]
"""Makes the other half of a connection; OSError or SandboxError when it cannot be had."""


class Forwarder:
    """Connections to a port of 127.0.0.1, each carried on over a socket that `dial` connects."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial

    async def run(self, port: int, ready: Callable[[int], None]) -> None:
        """Listen on `port` (0: any free one), tell `ready` which, and carry on until cancelled.

        SandboxError when the port cannot be had.
        """
        try:
            server = await asyncio.start_server(self._carry, HOST, port)
        except OSError as exc:
            raise SandboxError(f"cannot listen on {HOST}:{port}: {exc.strerror}") from exc
        async with server:
            ready(server.sockets[0].getsockname()[1])
            await server.serve_forever()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways, until either side ends."""
        try:
            far_reader, far_writer = await asyncio.open_connection(sock=await self._dial())
        except (OSError, SandboxError):
            writer.close()
            return
        await _both(_copy(reader, far_writer), _copy(far_reader, writer))
        for end in (writer, far_writer):
            end.close()


def into(network: Path, target: tuple[str, int]) -> Dial:
    """Connects to `target` from a node: its network namespace is a file under /proc."""

    async def dial() -> socket.socket:
        inside = socket_in(network)
        try:
            await asyncio.get_running_loop().sock_connect(inside, target)
        except OSError:
            inside.close()
            raise
        return inside

    return dial


def socket_in(network: Path) -> socket.socket:
    """A TCP socket of another network namespace; SandboxError when that is gone."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        other = os.open(network, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        os.close(own)
        raise SandboxError(f"the node behind {network} is gone") from exc
    try:
        enter_open(other, Namespace.NET)
        try:
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            enter_open(own, Namespace.NET)
    finally:
        os.close(other)
        os.close(own)
    made.setblocking(False)
    return made


async def _both(*directions: Awaitable[None]) -> None:
    """Both directions at once; the end of one ends the other."""
    tasks = [asyncio.ensure_future(direction) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
