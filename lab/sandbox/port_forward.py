"""A service's NodePort on a port of this node's own loopback address.

What `cilium hubble port-forward` is to Hubble's relay on the host from which a cluster is managed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address

from lab.errors import SandboxError
from lab.sandbox.forwarder import Forwarder

LOG = logging.getLogger("port-forward")

ATTEMPT = 1.0
"""Seconds for one node to answer: one that has no pod to pass the connection to is silent."""

GAP = 0.1
"""Seconds between two rounds of all nodes."""

PATIENCE = 30.0
"""Seconds that a client waits for the service's first pod."""


def main(port: int, nodes: Sequence[IPv4Address], node_port: int) -> int:
    """Forward until killed; SandboxError when `port` cannot be had."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    targets = [(str(node), node_port) for node in nodes]
    forwarder = Forwarder(lambda: first_answering(targets, PATIENCE))
    asyncio.run(forwarder.run(port, lambda bound: LOG.info("listening on port %d", bound)))
    return 0


async def first_answering(targets: Sequence[tuple[str, int]], within: float) -> socket.socket:
    """A connection to the first target that answers; asks them all, again and again.

    SandboxError when none has answered `within` seconds.
    """
    try:
        return await asyncio.wait_for(_persistently(targets), within)
    except asyncio.TimeoutError:
        asked = ", ".join(f"{address}:{port}" for address, port in targets)
        error = SandboxError(
            f"no node answered within {within:g} s: asked {asked}\n"
            "  look: kubectl -n kube-system get pods,services"
        )
        LOG.warning("%s", error)
        raise error from None


async def _persistently(targets: Sequence[tuple[str, int]]) -> socket.socket:
    while True:
        for target in targets:
            connected = await _attempt(target)
            if connected is not None:
                return connected
        await asyncio.sleep(GAP)


async def _attempt(target: tuple[str, int]) -> socket.socket | None:
    """One node; None when it refuses or is silent."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setblocking(False)
    connected = False
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(connection, target), ATTEMPT)
        connected = True
    except (OSError, asyncio.TimeoutError):
        return None
    finally:
        if not connected:
            connection.close()
    return connection
