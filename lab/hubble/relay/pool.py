"""The relay's connections: one to every node that the Peer service names, kept up all the time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

import grpc

from lab.hubble.api import peer_pb2
from lab.hubble.service import table as services

LOG = logging.getLogger("hubble-relay")

RETRY = 1.0
"""Seconds between two attempts to reach the Peer service."""

SETTLE = 2.0
"""Seconds from the start in which nodes may be named and connected before anybody is answered."""

QUIET = 0.3
"""Seconds without any change after which no further node is expected: nothing ends the list."""

OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # A node that dies or hangs silently is noticed by its missing answers. gRPC's own threads
    # answer pings, however busy the agent is.
    ("grpc.keepalive_time_ms", 2000),
    ("grpc.keepalive_timeout_ms", 3000),
    ("grpc.http2.ping_timeout_ms", 3000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)


class Node:
    """One peer: its channel and whether it is connected now."""

    def __init__(self, name: str, address: str, changed: asyncio.Condition) -> None:
        self.name = name
        self.address = address
        self.connected = False
        self.channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self._changed = changed
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        self._watcher.cancel()
        await self.channel.close()

    async def _watch(self) -> None:
        """Keep the channel connecting, and tell the pool when its state changes."""
        while True:
            state = self.channel.get_state(try_to_connect=True)
            connected = state is grpc.ChannelConnectivity.READY
            if connected != self.connected:
                self.connected = connected
                LOG.info("%s (%s) is %s", self.name, self.address, state.name.lower())
                async with self._changed:
                    self._changed.notify_all()
            await self.channel.wait_for_state_change(state)


class Pool:
    """All peers by name. `changed` is notified when one comes, goes, connects or is lost."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self.changed = asyncio.Condition()
        self._settles_at = time.monotonic() + SETTLE

    @property
    def nodes(self) -> Mapping[str, Node]:
        return self._nodes

    def connected(self) -> list[Node]:
        """The connected nodes, by name."""
        return [node for _, node in sorted(self._nodes.items()) if node.connected]

    def unavailable(self) -> list[str]:
        """Names of the others, sorted."""
        return sorted(name for name, node in self._nodes.items() if not node.connected)

    async def settled(self) -> None:
        """Return when all nodes seem to be connected, or when the pool has had time for that.

        Whoever asks right after the start would otherwise miss what the nodes have stored.
        """
        while (left := self._settles_at - time.monotonic()) > 0:
            complete = bool(self._nodes) and not self.unavailable()
            try:
                await asyncio.wait_for(self._change(), QUIET if complete else left)
            except asyncio.TimeoutError:
                return

    async def discover(self, address: str) -> None:
        """Follow the Peer service at `address` for ever; while it is away, nothing changes."""
        async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
            notify = services.call(channel, services.PEER, "Notify")
            while True:
                try:
                    seen: set[str] = set()
                    async for change in notify(peer_pb2.NotifyRequest(), wait_for_ready=True):
                        seen.add(change.name)
                        await self._apply(change)
                except grpc.aio.AioRpcError as exc:
                    LOG.warning("peer service at %s: %s", address, exc.details())
                await asyncio.sleep(RETRY)

    async def close(self) -> None:
        for node in self._nodes.values():
            await node.close()

    async def _change(self) -> None:
        async with self.changed:
            await self.changed.wait()

    async def _apply(self, change: peer_pb2.ChangeNotification) -> None:
        """One change; a stream that starts anew repeats peers that are known already."""
        known = self._nodes.get(change.name)
        if change.type == peer_pb2.PEER_DELETED:
            if known is not None:
                del self._nodes[change.name]
                await known.close()
        elif known is None or known.address != change.address:
            self._nodes[change.name] = Node(change.name, change.address, self.changed)
            if known is not None:
                await known.close()
        async with self.changed:
            self.changed.notify_all()
