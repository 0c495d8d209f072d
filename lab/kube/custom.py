"""CustomResourceDefinitions -> kinds that the server serves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.kube.api import Api
from lab.kube.controller import set_condition
from lab.kube.kinds import CRD, Column, Resource
from lab.kube.store import Change, Key

Object = dict[str, Any]


class DefinitionController:
    """Reconciles one CustomResourceDefinition a turn."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def existing(self) -> Iterable[Key]:
        return [key for key, _ in self._api.store.all(CRD.qualified)]

    def affected(self, change: Change) -> Iterable[Key]:
        return [change.key] if change.kind == CRD.qualified else []

    def reconcile(self, key: Key) -> float | None:
        plural, _, group = key[1].partition(".")
        stored = self._api.find(CRD, key)
        if stored is None:
            for instance, _ in self._api.store.all(key[1]):
                self._api.store.remove(key[1], instance)
            self._api.registry.replace_custom(group, plural, ())
            return None
        self._api.registry.replace_custom(group, plural, resources_of(stored.object))
        obj = self._api.fresh(CRD, key)
        status = obj.setdefault("status", {})
        status["acceptedNames"] = obj["spec"]["names"]
        status["storedVersions"] = [v["name"] for v in obj["spec"]["versions"] if v["storage"]]
        conditions = status.setdefault("conditions", [])
        text = "the initial names have been accepted"
        set_condition(conditions, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
        set_condition(conditions, "Established", "True", "InitialNamesAccepted", text)
        self._api.update(CRD, key, obj, subresource="status")
        return None


def resources_of(definition: Object) -> tuple[Resource, ...]:
    """The served versions of a definition."""
    spec = definition["spec"]
    names = spec["names"]
    stored = next(v["name"] for v in spec["versions"] if v["storage"])
    return tuple(
        Resource(
            group=spec["group"],
            version=version["name"],
            kind=names["kind"],
            plural=names["plural"],
            singular=names.get("singular", names["kind"].lower()),
            short=tuple(names.get("shortNames") or ()),
            namespaced=spec["scope"] == "Namespaced",
            categories=tuple(names.get("categories") or ()),
            status="status" in (version.get("subresources") or {}),
            generation=True,
            schema=version["schema"]["openAPIV3Schema"],
            columns=tuple(
                Column(c["name"], c["type"], c["jsonPath"], c.get("priority", 0))
                for c in version.get("additionalPrinterColumns") or ()
            ),
            stored_version=stored,
        )
        for version in spec["versions"]
        if version.get("served")
    )
