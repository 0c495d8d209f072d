"""A steady load of HTTP requests, told one line an attempt. A program of its own, for a client.

    python load.py 172.16.10.0 80 --every 0.02 --kept 10

`fresh` attempts are a connection each, started at a fixed pace whatever becomes of the others.
`kept` connections stay open and carry one request after the other at that pace divided among
them; one that ends is told and not opened again.

Both are paced by the event loop's timers. A line: when the attempt began (CLOCK_MONOTONIC,
seconds), how long it took, `fresh` or the number of the kept connection, the outcome (ok,
refused, reset, timeout or unreachable), how many of its segments were lost, and its own end as
tcpdump writes it (192.168.10.11.40000). Standard library only: it runs in a node, where nothing of
the lab is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import sys
import time
from collections.abc import Awaitable
from typing import Any

PATIENCE = 1.0
"""Seconds after which an attempt counts as timed out."""

TCP_INFO_SIZE = 104
UNACKNOWLEDGED = 24
SENT_AGAIN = 100
"""Offsets of tcpi_unacked and tcpi_total_retrans, both u32: <linux/tcp.h>, struct tcp_info."""


class Client:
    """One TCP connection to the service, and the segments that it lost so far."""

    def __init__(self, host: str, port: int) -> None:
        self._peer = (host, port)
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setblocking(False)
        self._told = 0

    async def open(self) -> None:
        await asyncio.get_running_loop().sock_connect(self._socket, self._peer)
        # asyncio closes its socket when the connection is reset; this one still tells what it was.
        own = self._socket.dup()
        self._reader, self._writer = await asyncio.open_connection(sock=own)

    async def ask(self, *, last: bool) -> None:
        """One request and its whole answer."""
        close = b"Connection: close\r\n" if last else b""
        self._writer.write(b"GET / HTTP/1.1\r\nHost: lab\r\n" + close + b"\r\n")
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        await self._reader.readexactly(length)

    async def open_and_ask(self) -> None:
        """A connection for one request."""
        await self.open()
        await self.ask(last=True)

    def lost(self, *, answered: bool) -> int:
        """Segments sent again since this was last asked, and those that nobody ever answered."""
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
        again: int = struct.unpack_from("=I", info, SENT_AGAIN)[0]
        pending: int = 0 if answered else struct.unpack_from("=I", info, UNACKNOWLEDGED)[0]
        since, self._told = again - self._told, again
        return since + pending

    def source(self) -> str:
        """The connection's own address and port."""
        address, port, *_ = self._socket.getsockname()
        return f"{address}.{port}"

    def close(self) -> None:
        if hasattr(self, "_writer"):
            self._writer.close()
        self._socket.close()


async def timed(client: Client, attempt: Awaitable[None], label: str) -> bool:
    """Await an attempt and tell its line; whether it was answered."""
    start = time.monotonic()
    outcome = "ok"
    try:
        await asyncio.wait_for(attempt, PATIENCE)
    except (asyncio.TimeoutError, TimeoutError):
        outcome = "timeout"
    except ConnectionRefusedError:
        outcome = "refused"
    except (ConnectionError, asyncio.IncompleteReadError):
        outcome = "reset"
    except OSError:
        outcome = "unreachable"
    seconds, lost = time.monotonic() - start, client.lost(answered=outcome == "ok")
    line = f"{start:.6f} {seconds:.6f} {label} {outcome} {lost} {client.source()}"
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    return outcome == "ok"


async def once(host: str, port: int) -> None:
    """A fresh connection."""
    client = Client(host, port)
    try:
        await timed(client, client.open_and_ask(), "fresh")
    finally:
        client.close()


async def keep(host: str, port: int, number: int, every: float) -> None:
    """A connection that lives for as long as its requests are answered."""
    client = Client(host, port)
    try:
        if not await timed(client, client.open(), str(number)):
            return
        while await timed(client, client.ask(last=False), str(number)):
            await asyncio.sleep(every)
    finally:
        client.close()


async def load(host: str, port: int, every: float, kept: int) -> None:
    """Run until the process is ended."""
    tasks: set[asyncio.Future[Any]] = {
        asyncio.ensure_future(keep(host, port, number, every * kept)) for number in range(kept)
    }
    begin = time.monotonic()
    started = 0
    while True:
        tasks = {task for task in tasks if not task.done()}
        tasks.add(asyncio.ensure_future(once(host, port)))
        started += 1
        await asyncio.sleep(max(0.0, begin + started * every - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--every", type=float, default=0.02, help="seconds between two attempts")
    parser.add_argument("--kept", type=int, default=0, help="connections that stay open")
    wanted = parser.parse_args()
    asyncio.run(load(wanted.host, wanted.port, wanted.every, wanted.kept))


if __name__ == "__main__":
    main()
