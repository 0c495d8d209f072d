"""Entry of the relay: what runs in the pod hubble-relay."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence

import grpc

from lab.errors import LabError
from lab.hubble.relay.gateway import default_gateway
from lab.hubble.relay.peers import RelayPeers
from lab.hubble.relay.pool import Pool
from lab.hubble.relay.recorder import RelayRecorder
from lab.hubble.relay.service import RelayService
from lab.hubble.service import table as services
from lab.hubble.service.health import AsyncHealth

PORT = 4245
OBSERVER_PORT = 4244


def main(words: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    options = parser().parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        peers = options.peer_service or f"{default_gateway()}:{OBSERVER_PORT}"
        asyncio.run(run(options.listen, peers))
    except LabError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return exc.exit_code
    return 0


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="hubble-relay", description="One Observer service over those of all nodes."
    )
    options.add_argument("--listen", default=f"0.0.0.0:{PORT}", metavar="ADDRESS")
    options.add_argument(
        "--peer-service",
        default=os.environ.get("HUBBLE_PEER_SERVICE", ""),
        metavar="ADDRESS",
        help="a node's agent, which names all others"
        f" (default: port {OBSERVER_PORT} of the default gateway, which in a pod is its own node)",
    )
    return options


async def run(listen: str, peer_service: str) -> None:
    """Serve on `listen`, with the nodes that the Peer service at `peer_service` names."""
    pool = Pool()
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
        server.add_insecure_port(listen)
    except RuntimeError as exc:
        raise LabError(f"the relay cannot listen on {listen}: {exc}") from exc
    await server.start()
    discovery = asyncio.create_task(pool.discover(peer_service))
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    discovery.cancel()
    await server.stop(grace=0.5)
    await pool.close()
