"""What is wrong with the objects that the agent follows, told as events of those objects."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from zlib import crc32

import httpx2
from lightkube import AsyncClient
from lightkube.exceptions import ApiError
from lightkube.models.core_v1 import EventSource, ObjectReference
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Event
from lightkube.types import PatchType

from lab.agent.bell import Bell
from lab.agent.refused import Refused

log = logging.getLogger(__name__)

COMPONENT = "cilium-agent"
OUTSIDE_NAMESPACES = "default"
"""Where events are kept of objects that are in no namespace."""


class Complaints:
    """Logs each complaint once, and tells it to whoever describes the object.

    `find` gives the object that is refused; None when it has gone meanwhile.
    """

    def __init__(
        self, client: AsyncClient, node: str, find: Callable[[Refused], Any | None]
    ) -> None:
        self._client = client
        self._node = node
        self._find = find
        self._bell = Bell()
        self._waiting: list[Refused] = []
        self._standing: dict[tuple[str, str], str] = {}

    def about(self, refused: Refused) -> None:
        """An object is refused: news only if it was not for the same reasons already."""
        about = (refused.kind, refused.name)
        if self._standing.get(about) == str(refused):
            return
        self._standing[about] = str(refused)
        log.error("%s", refused)
        self._waiting.append(refused)
        self._bell.ring()

    def settled(self, *kinds: str) -> None:
        """Nothing of these kinds is refused any more."""
        for about in [about for about in self._standing if about[0] in kinds]:
            del self._standing[about]

    def mended(self, kind: str, name: str) -> None:
        """One object is as it should be, or gone."""
        self._standing.pop((kind, name), None)

    async def run(self) -> None:
        """Until cancelled. Events are news: without the API server they are lost."""
        while True:
            await self._bell.heard()
            waiting, self._waiting = self._waiting, []
            for refused in waiting:
                about = self._find(refused)
                if about is None:
                    continue
                try:
                    await self._tell(self._event(refused, about))
                except (ApiError, httpx2.HTTPError, httpx2.StreamError) as error:
                    log.debug("event of %s %s: %s", refused.kind, refused.name, error)

    async def _tell(self, event: Event) -> None:
        """All nodes that refuse an object for the same reason share one event."""
        try:
            await self._client.create(event)
        except ApiError as error:
            if error.status.code != 409:
                raise
            meta, last = event.metadata, event.lastTimestamp
            assert meta is not None and meta.name is not None and last is not None
            news = {"lastTimestamp": last.strftime("%Y-%m-%dT%H:%M:%SZ")}
            await self._client.patch(
                Event, meta.name, news, namespace=meta.namespace, patch_type=PatchType.MERGE
            )

    def _event(self, refused: Refused, about: Any) -> Event:
        meta, now = about.metadata, datetime.now(timezone.utc)
        namespace = meta.namespace or OUTSIDE_NAMESPACES
        same = crc32(f"{meta.uid} {refused}".encode())
        return Event(
            metadata=ObjectMeta(name=f"{meta.name}.{same:08x}", namespace=namespace),
            involvedObject=ObjectReference(
                apiVersion=about.apiVersion,
                kind=refused.kind,
                name=meta.name,
                namespace=meta.namespace,
                uid=meta.uid,
            ),
            type="Warning",
            reason=refused.reason,
            message="; ".join(refused.problems),
            count=1,
            firstTimestamp=now,
            lastTimestamp=now,
            source=EventSource(component=COMPONENT, host=self._node),
        )
