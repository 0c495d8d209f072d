"""Entry of the web page's server: what runs in the pod hubble-ui."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence

import uvicorn

from lab.errors import InputError, LabError
from lab.hubble.relay.gateway import default_gateway
from lab.hubble.relay.main import OBSERVER_PORT
from lab.hubble.relay.pool import Pool
from lab.hubble.ui.app import application
from lab.hubble.ui.hub import Hub, Upstream
from lab.hubble.ui.upstream import OwnRelay, RemoteRelay

PORT = 8081


def main(words: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    options = parser().parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        asyncio.run(run(options))
    except LabError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return exc.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="hubble-ui", description="Service map and flow table as a web page."
    )
    options.add_argument("--listen", default=f"0.0.0.0:{PORT}", metavar="HOST:PORT")
    options.add_argument(
        "--relay",
        default=os.environ.get("HUBBLE_RELAY", ""),
        metavar="ADDRESS",
        help="a relay to ask (default: ask the nodes themselves)",
    )
    options.add_argument(
        "--peer-service",
        default=os.environ.get("HUBBLE_PEER_SERVICE", ""),
        metavar="ADDRESS",
        help="without a relay: a node's agent, which names all others"
        f" (default: port {OBSERVER_PORT} of the default gateway)",
    )
    return options


async def run(options: argparse.Namespace) -> None:
    """Serve the page on one address."""
    host, _, port = options.listen.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"invalid address {options.listen!r}: want HOST:PORT")
    discovery = None
    upstream: Upstream
    if options.relay:
        upstream = RemoteRelay(options.relay)
    else:
        peers = options.peer_service or f"{default_gateway()}:{OBSERVER_PORT}"
        pool = Pool()
        discovery = asyncio.create_task(pool.discover(peers))
        upstream = OwnRelay(pool)
    config = uvicorn.Config(
        application(Hub(upstream)),
        host=host,
        port=int(port),
        log_level="warning",
        timeout_graceful_shutdown=1,
        ws="none",
    )
    await uvicorn.Server(config).serve()
    if discovery is not None:
        discovery.cancel()
