"""The verbs on objects: what the HTTP layer and the controllers call alike.

A write is: right fields and types, defaults, allocation, validation, store. All of it happens in
one step of the event loop, so a read-modify-write inside one call needs no retry.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from lab.kube import names, status
from lab.kube.kinds import NAMESPACE, NODE, POD, SERVICE, Registry, Resource
from lab.kube.rules import defaults
from lab.kube.rules.decoding import TRUSTED, Write, decode
from lab.kube.rules.deletion import (
    DEFAULT,
    Deletion,
    check_preconditions,
    finalizers,
    grace_of,
    waits,
)
from lab.kube.rules.service_numbers import ServiceNumbers, drop_stale
from lab.kube.rules.validation import validate
from lab.kube.status import Cause
from lab.kube.store import Key, Store, Stored

Object = dict[str, Any]

_decode = msgspec.json.Decoder().decode

PROTECTED_NAMESPACES = ("default", "kube-system", "kube-public")
FIRST_STATUS: dict[str, Object] = {
    "Namespace": {"phase": "Active"},
    "Pod": {"phase": "Pending"},
    "Service": {"loadBalancer": {}},
}


class Api:
    """Objects by resource and key, on top of one store."""

    def __init__(self, store: Store, registry: Registry, numbers: ServiceNumbers) -> None:
        self.store = store
        self.registry = registry
        self._numbers = numbers
        self.before_delete: Callable[[Resource, Key, Deletion], None] | None = None
        """Asked before an object goes; the garbage collector orphans dependents here."""

    def get(self, resource: Resource, key: Key) -> Stored:
        found = self.store.get(resource.qualified, key)
        if found is None:
            raise status.not_found(resource, key[1])
        return served_as(resource, found)

    def find(self, resource: Resource, key: Key) -> Stored | None:
        found = self.store.get(resource.qualified, key)
        return served_as(resource, found) if found else None

    def ensure(self, obj: Object) -> Resource:
        """Create an object of a known kind unless it is there; returns its kind."""
        resource = self.registry.of_kind(obj["apiVersion"], obj["kind"])
        assert resource is not None, f"no kind {obj['kind']}"
        key = (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        if self.find(resource, key) is None:
            self.create(resource, key[0], deep_copy(obj), Write(strictness="Strict"))
        return resource

    def fresh(self, resource: Resource, key: Key) -> Object:
        """A copy of an object that the caller may change and hand to update."""
        return copy_of(self.get(resource, key))

    def create(
        self, resource: Resource, namespace: str, obj: Object, write: Write = TRUSTED
    ) -> Stored:
        """Store a new object; the object handed in is the caller's no more."""
        causes = decode(resource, obj, write)
        meta = _metadata_of(obj)
        key = self._new_key(resource, namespace, meta)
        if meta.get("resourceVersion"):
            raise status.bad_request("resourceVersion should not be set on objects to be created")
        self._check_namespace(resource, key, write)
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            meta.pop(name, None)
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": names.now()}
        if resource.generation:
            meta["generation"] = 1
        if resource.status and not write.trusted and resource is not NODE:
            obj.pop("status", None)
        if resource.kind in FIRST_STATUS:
            obj.setdefault("status", FIRST_STATUS[resource.kind].copy())
        self._complete(resource, key, obj, None, write, causes)
        if self.store.get(resource.qualified, key):
            raise status.already_exists(resource, key[1])
        return _unsaved(obj) if write.dry_run else self._put(resource, key, obj)

    def update(
        self,
        resource: Resource,
        key: Key,
        obj: Object,
        write: Write = TRUSTED,
        *,
        subresource: str = "",
    ) -> Stored:
        """Replace an object, or only its status; a stale resourceVersion is a conflict."""
        old = self.get(resource, key)
        causes = decode(resource, obj, write)
        meta = _metadata_of(obj)
        if (meta.get("name"), meta.get("namespace", key[0])) != (key[1], key[0]):
            raise status.bad_request(
                f"the name of the object ({meta.get('name')}) does not match the name on the URL "
                f"({key[1]})"
            )
        if meta.get("resourceVersion") not in (None, "", old.object["metadata"]["resourceVersion"]):
            raise status.conflict(resource, key[1])
        if meta.get("uid", old.object["metadata"]["uid"]) != old.object["metadata"]["uid"]:
            raise status.conflict(resource, key[1], "Precondition failed: UID in precondition")
        new = _status_update(old, obj) if subresource == "status" else obj
        if not subresource and resource.status:
            _keep(new, old.object, "status")
        self._carry(resource, new, old.object)
        if subresource != "status":
            self._complete(resource, key, new, old.object, write, causes)
        elif causes:
            raise status.invalid(resource, key[1], causes)
        return self._save(resource, key, old, new, write)

    def bind(self, key: Key, pod: Object) -> Stored:
        """Give a pod its node, in the same write as the condition that says so."""
        return self._save(POD, key, self.get(POD, key), pod, TRUSTED)

    def delete(self, resource: Resource, key: Key, options: Deletion = DEFAULT) -> Stored:
        """Delete, or begin to: with grace or finalizers left the object stays, marked."""
        old = self.get(resource, key)
        check_preconditions(resource, key, old, options)
        if resource is NAMESPACE and key[1] in PROTECTED_NAMESPACES:
            raise status.forbidden(resource, key[1], "this namespace may not be deleted")
        if options.dry_run:
            return old
        if self.before_delete:
            self.before_delete(resource, key, options)
            old = self.get(resource, key)
        grace = grace_of(resource, old.object, options)
        if not grace and not finalizers(resource, old.object):
            return self.store.remove(resource.qualified, key)
        left = old.object["metadata"].get("deletionGracePeriodSeconds")
        if left is not None and left <= grace:
            return old
        return self._mark_deleted(resource, key, grace)

    def _mark_deleted(self, resource: Resource, key: Key, grace: int) -> Stored:
        obj = self.fresh(resource, key)
        meta = obj["metadata"]
        meta["deletionTimestamp"] = names.now(grace)
        meta["deletionGracePeriodSeconds"] = grace
        if resource.generation:
            meta["generation"] += 1
        if resource is NAMESPACE:
            obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
        return self._put(resource, key, obj)

    def _put(self, resource: Resource, key: Key, obj: Object) -> Stored:
        obj["apiVersion"] = resource.stored_api_version
        return served_as(resource, self.store.put(resource.qualified, key, obj))

    def _new_key(self, resource: Resource, namespace: str, meta: Object) -> Key:
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"][:58] + names.suffix()
        if not meta.get("name"):
            cause = status.Cause.required("metadata.name", "name or generateName is required")
            raise status.invalid(resource, "", [cause])
        if not resource.namespaced:
            meta.pop("namespace", None)
            return ("", meta["name"])
        if meta.setdefault("namespace", namespace) != namespace:
            raise status.bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        return (namespace, meta["name"])

    def _check_namespace(self, resource: Resource, key: Key, write: Write) -> None:
        if not resource.namespaced:
            return
        namespace = self.find(NAMESPACE, ("", key[0]))
        if namespace is None:
            raise status.not_found(NAMESPACE, key[0])
        if "deletionTimestamp" in namespace.object["metadata"] and not write.trusted:
            text = (
                f"unable to create new content in namespace {key[0]} because it is being terminated"
            )
            raise status.forbidden(resource, key[1], text)

    def _complete(
        self,
        resource: Resource,
        key: Key,
        new: Object,
        old: Object | None,
        write: Write,
        causes: list[Cause],
    ) -> None:
        """Defaults, the rules beyond single fields, numbers; `causes`: mistakes known already."""
        if not resource.custom:
            defaults.apply(resource.kind, new)
        if resource is SERVICE and old:
            drop_stale(new, old)
        causes = causes if write.trusted else causes + validate(resource, new, old)
        if not causes and resource is SERVICE:
            causes = self._numbers.assign(key, new, old)
        if causes:
            raise status.invalid(resource, key[1], causes)

    def _carry(self, resource: Resource, new: Object, old: Object) -> None:
        """What a client cannot change about an object that is there."""
        meta, before = new["metadata"], old["metadata"]
        for name in ("uid", "creationTimestamp", "generation", "deletionTimestamp",
                     "deletionGracePeriodSeconds", "namespace"):  # fmt: skip
            _keep(meta, before, name)
        if "managedFields" not in meta:
            _keep(meta, before, "managedFields")
        if resource.generation:
            changed = _without(new, "metadata", "status") != _without(old, "metadata", "status")
            meta["generation"] = before["generation"] + changed

    def _save(self, resource: Resource, key: Key, old: Stored, new: Object, write: Write) -> Stored:
        new["metadata"]["resourceVersion"] = old.object["metadata"]["resourceVersion"]
        if new == old.object:
            return old
        if write.dry_run:
            return _unsaved(new)
        stored = self._put(resource, key, new)
        deleted = "deletionTimestamp" in new["metadata"]
        if deleted and not finalizers(resource, new) and not waits(resource, new):
            return self.store.remove(resource.qualified, key)
        return stored


def served_as(resource: Resource, stored: Stored) -> Stored:
    """A stored object in the version of a resource; versions differ in their name only."""
    if stored.object["apiVersion"] == resource.api_version:
        return stored
    obj = {**stored.object, "apiVersion": resource.api_version}
    return Stored(obj, msgspec.json.encode(obj), stored.revision)


def copy_of(stored: Stored) -> Object:
    """An object that is equal to the stored one and shares nothing with it."""
    obj: Object = _decode(stored.raw)
    return obj


def deep_copy(value: Object) -> Object:
    """A copy of plain values; JSON is several times faster at it than copy.deepcopy."""
    copied: Object = _decode(msgspec.json.encode(value))
    return copied


def _metadata_of(obj: Object) -> Object:
    meta = obj.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise status.bad_request("metadata: an object is expected")
    return meta


def _unsaved(obj: Object) -> Stored:
    return Stored(obj, msgspec.json.encode(obj), 0)


def _keep(new: Object, old: Object, name: str) -> None:
    if name in old:
        new[name] = old[name]
    else:
        new.pop(name, None)


def _without(obj: Object, *left_out: str) -> Object:
    return {name: value for name, value in obj.items() if name not in left_out}


def _status_update(old: Stored, obj: Object) -> Object:
    new = copy_of(old)
    new["status"] = obj.get("status", {})
    if "managedFields" in obj["metadata"]:
        new["metadata"]["managedFields"] = obj["metadata"]["managedFields"]
    return new
