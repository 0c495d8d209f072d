"""Events of pods, as `kubectl describe pod` shows them: what the node did, and what it found.

They are news for people, not state: told after a moment, so that they never hold up what they tell
of, and dropped when the API server is away.
"""

from __future__ import annotations

import logging
import uuid
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import httpx2
from lightkube import AsyncClient
from lightkube.exceptions import ApiError
from lightkube.models.core_v1 import EventSource, ObjectReference
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Event, Pod
from lightkube.types import PatchType

from lab.agent.bell import Bell

log = logging.getLogger(__name__)

MOMENT = 0.5
"""Seconds in which equal events become one."""
KEPT = 256
"""Events that a repetition is counted in rather than told anew."""


@dataclass(frozen=True)
class Told:
    """An event with its repetitions."""

    name: str
    first: datetime
    count: int = 0


@dataclass(frozen=True)
class News:
    """Something that happened to a pod; equal news are one event."""

    namespace: str
    pod: str
    uid: str
    container: str
    kind: str
    """`Normal` or `Warning`."""
    reason: str
    message: str


class PodEvents:
    """Takes news from anywhere in the agent's loop and tells the API server."""

    def __init__(self, client: AsyncClient, node: str) -> None:
        self._client = client
        self._node = node
        self._bell = Bell()
        self._waiting: list[News] = []
        self._told: OrderedDict[News, Told] = OrderedDict()

    def tell(self, pod: Pod, container: str, kind: str, reason: str, message: str) -> None:
        meta = pod.metadata
        assert meta is not None
        news = News(
            meta.namespace or "", meta.name or "", meta.uid or "", container, kind, reason, message
        )
        self._waiting.append(news)
        self._bell.ring()

    async def run(self) -> None:
        """Until cancelled."""
        pause = Bell()
        while True:
            await self._bell.heard()
            await pause.heard(MOMENT)
            waiting, self._waiting = self._waiting, []
            for news in dict.fromkeys(waiting):
                try:
                    await self._send(news, waiting.count(news))
                except (ApiError, httpx2.HTTPError, httpx2.StreamError) as error:
                    log.debug("event of %s: %s", news.pod, error)

    async def _send(self, news: News, times: int) -> None:
        now = datetime.now(timezone.utc)
        told = self._told.pop(news, None)
        if told is None:
            told = Told(f"{news.pod}.{uuid.uuid4().hex[:16]}", now, times)
            await self._client.create(self._event(news, told, now))
        else:
            told = replace(told, count=told.count + times)
            patch = {"count": told.count, "lastTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
            await self._client.patch(
                Event, told.name, patch, namespace=news.namespace, patch_type=PatchType.MERGE
            )
        self._told[news] = told
        if len(self._told) > KEPT:
            self._told.popitem(last=False)

    def _event(self, news: News, told: Told, now: datetime) -> Event:
        about = ObjectReference(
            apiVersion="v1",
            kind="Pod",
            name=news.pod,
            namespace=news.namespace,
            uid=news.uid,
            fieldPath=f"spec.containers{{{news.container}}}" if news.container else None,
        )
        return Event(
            metadata=ObjectMeta(name=told.name, namespace=news.namespace),
            involvedObject=about,
            type=news.kind,
            reason=news.reason,
            message=news.message,
            count=told.count,
            firstTimestamp=told.first,
            lastTimestamp=now,
            source=EventSource(component="kubelet", host=self._node),
        )
