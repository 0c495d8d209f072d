"""The Peer service: tells a relay which nodes there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from lab.hubble.api import peer_pb2
from lab.hubble.observer import Observer


class PeerService:
    """peer.Peer over an observer's book of peers."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"Notify": self.notify}

    def notify(
        self, _request: peer_pb2.NotifyRequest, context: grpc.ServicerContext
    ) -> Iterator[peer_pb2.ChangeNotification]:
        """Every peer as added, then the changes, for as long as the relay listens."""
        for change in self._observer.peers.watch():
            if not context.is_active():
                return
            if change is not None:
                yield peer_pb2.ChangeNotification(
                    name=change.peer.name,
                    address=change.peer.address,
                    type=change.kind,  # type: ignore[arg-type]
                )
