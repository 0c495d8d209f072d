"""The end of a namespace: everything in it goes first."""

from __future__ import annotations

from collections.abc import Iterable

from lab.kube.api import Api
from lab.kube.kinds import NAMESPACE
from lab.kube.store import Change, Key


class NamespaceController:
    """Empties a namespace that is deleted, then lets it go."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def existing(self) -> Iterable[Key]:
        return [key for key, _ in self._api.store.all(NAMESPACE.qualified)]

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind == NAMESPACE.qualified:
            return [change.key]
        return [("", change.key[0])] if change.new is None and change.key[0] else []

    def reconcile(self, key: Key) -> float | None:
        stored = self._api.find(NAMESPACE, key)
        if stored is None or "deletionTimestamp" not in stored.object["metadata"]:
            return None
        left = False
        for kind in sorted({r.qualified for r in self._api.registry if r.namespaced}):
            resource = self._api.registry.stored_as(kind)
            for inside, found in self._api.store.all(kind, key[1]):
                if "deletionTimestamp" not in found.object["metadata"]:
                    self._api.delete(resource, inside)
                left = left or self._api.find(resource, inside) is not None
        if not left:
            obj = self._api.fresh(NAMESPACE, key)
            obj["spec"]["finalizers"] = []
            self._api.update(NAMESPACE, key, obj)
        return None
