"""Objects that the agent itself keeps in the API: written when they differ from the last time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lightkube import AsyncClient
from lightkube.exceptions import ApiError
from lightkube.generic_resource import GenericGlobalResource, GenericNamespacedResource
from lightkube.types import PatchType

Json = dict[str, Any]
Kind = GenericGlobalResource | GenericNamespacedResource


class WrittenObjects:
    """Remembers what it wrote under which name of the caller's."""

    def __init__(self, client: AsyncClient) -> None:
        # The library's overloads tell kinds with a namespace from those without; this is both.
        self._client: Any = client
        self._written: dict[str, Json] = {}

    async def put(self, name: str, kind: type[Kind], wanted: Json) -> None:
        """Create the object, or bring the one that is there up to date."""
        if self._written.get(name) == wanted:
            return
        meta = wanted["metadata"]
        where = {field: meta[field] for field in ("namespace",) if field in meta}
        how = {**where, "patch_type": PatchType.MERGE}
        try:
            await self._client.create(kind.from_dict(wanted))
        except ApiError as error:
            if error.status.code != 409:
                raise
            await self._client.patch(kind, meta["name"], wanted, **how)
        if "status" in wanted:
            status = {"status": wanted["status"]}
            await self._client.patch(kind.Status, meta["name"], status, **how)
        self._written[name] = wanted

    async def remove(self, name: str, kind: type[Kind]) -> None:
        """Delete an object outside namespaces that was written under its own name, if there."""
        if name not in self._written:
            return
        try:
            await self._client.delete(kind, name)
        except ApiError as error:
            if error.status.code != 404:
                raise
        del self._written[name]

    def keep(self, names: Collection[str]) -> None:
        """Forget all others: their objects are gone, or somebody else's to remove."""
        self._written = {name: self._written[name] for name in self._written if name in names}
