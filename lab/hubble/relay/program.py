"""What the programs of Hubble's pods share: their start, the nodes that they ask, their end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from lab.errors import LabError
from lab.hubble.relay.gateway import default_gateway
from lab.hubble.relay.pool import Pool

OBSERVER_PORT = 4244


def arguments(name: str, description: str, port: int) -> argparse.ArgumentParser:
    """A parser with the options of every program: where to listen and whom to ask for nodes."""
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--listen", default=f"0.0.0.0:{port}", metavar="HOST:PORT")
    parser.add_argument(
        "--peer-service",
        default=os.environ.get("HUBBLE_PEER_SERVICE", ""),
        metavar="ADDRESS",
        help="a node's agent, which names all others"
        f" (default: port {OBSERVER_PORT} of the default gateway, which in a pod is its own node)",
    )
    return parser


@asynccontextmanager
async def nodes(options: argparse.Namespace) -> AsyncIterator[Pool]:
    """The nodes that the Peer service of the options names, kept up to date inside the block."""
    address = options.peer_service or f"{default_gateway()}:{OBSERVER_PORT}"
    pool = Pool()
    discovery = asyncio.create_task(pool.discover(address))
    try:
        yield pool
    finally:
        discovery.cancel()
        await pool.close()


def run(program: Coroutine[Any, Any, None]) -> int:
    """Run until the program ends; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        asyncio.run(program)
    except LabError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return exc.exit_code
    except KeyboardInterrupt:
        return 130
    return 0
