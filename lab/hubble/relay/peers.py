"""The Peer service of the relay: the nodes that it knows, for `hubble watch peers`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from lab.hubble.api import peer_pb2
from lab.hubble.lookup import Peer
from lab.hubble.peers import differences
from lab.hubble.relay.pool import Pool


class RelayPeers:
    """peer.Peer over a pool of nodes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"Notify": self.notify}

    async def notify(
        self, _request: peer_pb2.NotifyRequest, _context: grpc.aio.ServicerContext
    ) -> AsyncIterator[peer_pb2.ChangeNotification]:
        """Every node as added, then the changes."""
        seen: dict[str, Peer] = {}
        while True:
            current = self._peers()
            for change in differences(seen, current):
                yield peer_pb2.ChangeNotification(
                    name=change.peer.name,
                    address=change.peer.address,
                    type=change.kind,  # type: ignore[arg-type]
                )
            seen = current
            await self._change(seen)

    async def _change(self, known: dict[str, Peer]) -> None:
        """Return when the nodes differ from `known`."""
        async with self._pool.changed:
            await self._pool.changed.wait_for(lambda: self._peers() != known)

    def _peers(self) -> dict[str, Peer]:
        return {name: Peer(name, node.address) for name, node in self._pool.nodes.items()}
