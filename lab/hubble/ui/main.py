"""Entry of the web page's server: what runs in the pod hubble-ui."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

import uvicorn

from lab.errors import InputError
from lab.hubble.relay import program
from lab.hubble.ui.app import application
from lab.hubble.ui.hub import Hub, Upstream
from lab.hubble.ui.upstream import OwnRelay, RemoteRelay

PORT = 8081


def main(words: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    parser = program.arguments("hubble-ui", "Service map and flow table as a web page.", PORT)
    parser.add_argument(
        "--relay",
        default=os.environ.get("HUBBLE_RELAY", ""),
        metavar="ADDRESS",
        help="a relay to ask (default: ask the nodes themselves)",
    )
    return program.run(serve(parser.parse_args(words)))


async def serve(options: argparse.Namespace) -> None:
    """Serve the page on the address of the options."""
    host, _, port = options.listen.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"invalid address {options.listen!r}: want HOST:PORT")
    if options.relay:
        await _page(RemoteRelay(options.relay), host, int(port))
    else:
        async with program.nodes(options) as pool:
            await _page(OwnRelay(pool), host, int(port))


async def _page(upstream: Upstream, host: str, port: int) -> None:
    config = uvicorn.Config(
        application(Hub(upstream)),
        host=host,
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=1,
        ws="none",
    )
    await uvicorn.Server(config).serve()
