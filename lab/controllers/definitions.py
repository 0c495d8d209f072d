"""What CustomResourceDefinitions say of themselves, and the end of what a deleted one defined."""

from __future__ import annotations

from collections.abc import Iterable

from lab.controllers.conditions import set_condition
from lab.kube.api import Api
from lab.kube.kinds import CRD
from lab.kube.store import Change, Key


class DefinitionController:
    """Reconciles one CustomResourceDefinition a turn."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def existing(self) -> Iterable[Key]:
        return [key for key, _ in self._api.store.all(CRD.qualified)]

    def affected(self, change: Change) -> Iterable[Key]:
        return [change.key] if change.kind == CRD.qualified else []

    def reconcile(self, key: Key) -> float | None:
        if self._api.find(CRD, key) is None:
            for instance, _ in self._api.store.all(key[1]):
                self._api.store.remove(key[1], instance)
            return None
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
