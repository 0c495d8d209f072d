"""A steady load of HTTP requests, told one line an attempt. A program of its own, for a client.

    python load.py 172.16.10.0 80 --every 0.02 --kept 10

`fresh` attempts are a connection each, started at a fixed pace whatever becomes of the others.
`kept` connections stay open and carry one request after the other at that pace divided among
them; one that ends is told and not opened again.

Both are paced by the event loop's timers. A line: when the attempt began (CLOCK_MONOTONIC,
seconds), how long it took, `fresh` or the number of the kept connection, and the outcome: ok,
refused, reset, timeout or unreachable. Standard library only: it runs in a node, where nothing of
the lab is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable
from typing import Any

PATIENCE = 1.0
"""Seconds after which an attempt counts as timed out."""


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, last: bool) -> None:
    """One request and its whole answer."""
    close = b"Connection: close\r\n" if last else b""
    writer.write(b"GET / HTTP/1.1\r\nHost: lab\r\n" + close + b"\r\n")
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    await reader.readexactly(length)


async def fresh(host: str, port: int) -> None:
    """A connection for one request."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        await ask(reader, writer, last=True)
    finally:
        writer.close()


async def timed(attempt: Awaitable[None], label: str) -> str:
    """Await an attempt, tell its line, and return its outcome."""
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
    sys.stdout.write(f"{start:.6f} {time.monotonic() - start:.6f} {label} {outcome}\n")
    sys.stdout.flush()
    return outcome


async def keep(host: str, port: int, number: int, every: float) -> None:
    """A connection that lives for as long as its requests are answered."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), PATIENCE)
    except (OSError, asyncio.TimeoutError, TimeoutError):
        await timed(fresh(host, port), str(number))
        return
    with contextlib.closing(writer):
        while await timed(ask(reader, writer, last=False), str(number)) == "ok":
            await asyncio.sleep(every)


async def load(host: str, port: int, every: float, kept: int) -> None:
    """Run until the process is ended."""
    tasks: set[asyncio.Future[Any]] = {
        asyncio.ensure_future(keep(host, port, number, every * kept)) for number in range(kept)
    }
    begin = time.monotonic()
    started = 0
    while True:
        tasks = {task for task in tasks if not task.done()}
        tasks.add(asyncio.ensure_future(timed(fresh(host, port), "fresh")))
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
