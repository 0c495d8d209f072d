"""A mirror of API objects: list, then watch, for ever. Without the API server it stays as it is."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Generic, TypeVar, cast

import httpx2
import msgspec
from lightkube import AsyncClient
from lightkube.core.resource import NamespacedResource
from lightkube.exceptions import ApiError

from lab.agent.bell import Bell

log = logging.getLogger(__name__)

FIRST_RETRY = 0.05
LONGEST_RETRY = 2.0
"""Seconds between two attempts to reach the API server: the gap doubles."""
UNKNOWN_RETRY = 10.0
"""Seconds until a kind that the server does not know is asked for again."""

R = TypeVar("R")


class Mirror(Generic[R]):
    """All objects of one kind (that match `fields`), by `namespace/name`.

    `changed` hears the key of every object that came, changed or went. `complete` is False until
    the first list: until then an absent object proves nothing.
    """

    def __init__(
        self,
        client: AsyncClient,
        kind: type[R],
        changed: Callable[[str], None],
        *,
        namespace: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        self.objects: dict[str, R] = {}
        self.complete = False
        self.connected = False
        """The API server answers; without it the mirror shows what was."""
        self.kind = kind
        self._client = client
        self._changed = changed
        self._where: dict[str, Any] = {"fields": fields} if fields else {}
        if issubclass(kind, NamespacedResource):
            self._where["namespace"] = namespace or "*"
        self._pause = Bell()

    async def run(self) -> None:
        """Mirror until cancelled."""
        gap = FIRST_RETRY
        while True:
            try:
                version = await self._list()
                gap, self.connected = FIRST_RETRY, True
                await self._watch(version)
            except ApiError as error:
                # 410: the server no longer knows the version that the watch began at.
                if error.status.code == 404:
                    gap = UNKNOWN_RETRY
                    self._none()
                log.info("%s: %s", self.kind.__name__, error)
            except (httpx2.HTTPError, httpx2.StreamError, msgspec.DecodeError) as error:
                log.info("%s: %s: %s", self.kind.__name__, type(error).__name__, error)
            self.connected = False
            await self._pause.heard(gap)
            gap = min(gap * 2, LONGEST_RETRY)

    async def _list(self) -> str:
        listing = self._client.list(self.kind, **self._where)  # type: ignore[type-var]
        found: dict[str, R] = {key(each): each async for each in listing}
        gone = self.objects.keys() - found.keys()
        news = [name for name, each in found.items() if self.objects.get(name) != each]
        # The order of creation, as the watch would have told it.
        self.objects = dict(sorted(found.items(), key=lambda item: _age(item[1])))
        first, self.complete = not self.complete, True
        for name in (*gone, *sorted(news, key=lambda name: _age(found[name]))):
            self._changed(name)
        if first and not news:
            self._changed("")
        return listing.resourceVersion

    def _none(self) -> None:
        """The server does not know the kind: there are no objects of it."""
        gone, self.objects = list(self.objects), {}
        first, self.complete = not self.complete, True
        for name in gone or [""] * first:
            self._changed(name)

    async def _watch(self, version: str) -> None:
        events = self._client.watch(  # type: ignore[type-var]
            self.kind, resource_version=version, **self._where
        )
        async for event, each in cast(AsyncIterator[tuple[str, Any]], events):
            if event == "BOOKMARK":
                continue
            if event == "DELETED":
                self.objects.pop(key(each), None)
            else:
                self.objects[key(each)] = each
            self._changed(key(each))


def key(each: Any) -> str:
    """`namespace/name`, or the bare name of an object outside namespaces."""
    meta = each.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else str(meta.name)


def _age(each: Any) -> tuple[str, str]:
    return str(each.metadata.creationTimestamp), key(each)
