"""What has to go with something else: dependents of a deleted owner, a namespace's contents,
events that are old."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.kube.api import Api, copy_of
from lab.kube.kinds import EVENT, Resource
from lab.kube.names import seconds_since
from lab.kube.rules.deletion import Deletion
from lab.kube.store import Change, Key

Object = dict[str, Any]

FOREGROUND = "foregroundDeletion"
EVENT_LIFE = 3600.0
"""Seconds."""
_EVENTS: Key = ("", "")


class GarbageCollector:
    """Reconciles the dependents of one owner, named by its uid, a turn."""

    def __init__(self, api: Api) -> None:
        self._api = api
        api.before_delete = self.before_delete

    def existing(self) -> Iterable[Key]:
        return [_EVENTS, *(("", uid) for uid in self._api.store.owners())]

    def affected(self, change: Change) -> Iterable[Key]:
        """Owners that went or are waiting for their dependents, and owners of what went."""
        latest = change.new or change.old
        assert latest is not None
        meta = latest.object["metadata"]
        keys: list[Key] = []
        if change.new is None or "deletionTimestamp" in meta:
            keys.append(("", meta["uid"]))
        if change.new is None or change.old is None:
            keys += [("", reference["uid"]) for reference in meta.get("ownerReferences") or ()]
        return keys

    def reconcile(self, key: Key) -> float | None:
        if key == _EVENTS:
            return self._forget_events()
        uid = key[1]
        dependents = self._api.store.owned(uid)
        owner = self._api.store.by_uid(uid)
        if owner is None:
            for kind, dependent in dependents:
                self._release(kind, dependent)
            return None
        meta = owner[2].object["metadata"]
        if "deletionTimestamp" not in meta or FOREGROUND not in meta.get("finalizers", ()):
            return None
        for kind, dependent in dependents:
            resource = self._resource(kind)
            if "deletionTimestamp" not in self._api.get(resource, dependent).object["metadata"]:
                self._api.delete(resource, dependent, Deletion(propagation_policy="Foreground"))
        if not self._api.store.owned(uid):
            self._drop_finalizer(self._resource(owner[0]), owner[1])
        return None

    def before_delete(self, resource: Resource, key: Key, options: Deletion) -> None:
        """Orphan the dependents, or make the owner wait for them, as the client asked."""
        if options.propagation_policy not in ("Orphan", "Foreground"):
            return
        stored = self._api.get(resource, key)
        uid = stored.object["metadata"]["uid"]
        dependents = self._api.store.owned(uid)
        if options.propagation_policy == "Orphan":
            for kind, dependent in dependents:
                self._disown(self._resource(kind), dependent, uid)
        elif dependents:
            obj = copy_of(stored)
            finalizers = obj["metadata"].setdefault("finalizers", [])
            if FOREGROUND not in finalizers:
                finalizers.append(FOREGROUND)
                self._api.update(resource, key, obj)

    def _release(self, kind: str, key: Key) -> None:
        """Delete a dependent, unless another owner of it lives."""
        resource = self._resource(kind)
        references = self._api.get(resource, key).object["metadata"]["ownerReferences"]
        if not any(self._api.store.by_uid(r["uid"]) for r in references):
            self._api.delete(resource, key)

    def _disown(self, resource: Resource, key: Key, uid: str) -> None:
        obj = self._api.fresh(resource, key)
        references = obj["metadata"]["ownerReferences"]
        obj["metadata"]["ownerReferences"] = [r for r in references if r["uid"] != uid]
        self._api.update(resource, key, obj)

    def _drop_finalizer(self, resource: Resource, key: Key) -> None:
        obj = self._api.fresh(resource, key)
        obj["metadata"]["finalizers"].remove(FOREGROUND)
        self._api.update(resource, key, obj)

    def _resource(self, kind: str) -> Resource:
        return self._api.registry.stored_as(kind)

    def _forget_events(self) -> float:
        for key, stored in self._api.store.all(EVENT.qualified):
            seen = (
                stored.object.get("lastTimestamp") or stored.object["metadata"]["creationTimestamp"]
            )
            if seconds_since(seen) > EVENT_LIFE:
                self._api.delete(EVENT, key)
        return EVENT_LIFE / 12
