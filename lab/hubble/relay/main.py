"""Entry of the relay: what runs in the pod hubble-relay."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
from collections.abc import Sequence

import grpc

from lab.errors import LabError
from lab.hubble.relay import program
from lab.hubble.relay.peers import RelayPeers
from lab.hubble.relay.recorder import RelayRecorder
from lab.hubble.relay.service import RelayService
from lab.hubble.service import table as services
from lab.hubble.service.health import AsyncHealth

PORT = 4245


def main(words: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    parser = program.arguments(
        "hubble-relay", "One Observer service over those of all nodes.", PORT
    )
    return program.run(serve(parser.parse_args(words)))


async def serve(options: argparse.Namespace) -> None:
    """Serve the nodes' flows on the address of the options."""
    async with program.nodes(options) as pool:
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        relay = RelayService(pool, socket.gethostname())
        server.add_generic_rpc_handlers(
            (
                services.handler(services.OBSERVER, relay.methods()),
                services.handler(services.RECORDER, RelayRecorder(pool).methods()),
                services.handler(services.PEER, RelayPeers(pool).methods()),
                services.handler(services.HEALTH, AsyncHealth().methods()),
            )
        )
        try:
            server.add_insecure_port(options.listen)
        except RuntimeError as exc:
            raise LabError(f"the relay cannot listen on {options.listen}: {exc}") from exc
        await server.start()
        await _told_to_stop()
        await server.stop(grace=0.5)


async def _told_to_stop() -> None:
    """Return on SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
