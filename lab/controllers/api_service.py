"""Keeps `default/kubernetes` there: clients find the API server by it, so it comes back."""

from __future__ import annotations

from typing import Any

from lab.kube.api import Api
from lab.kube.kinds import ENDPOINT_SLICE, ENDPOINTS, SERVICE
from lab.kube.store import Change, Key

Object = dict[str, Any]

API_SERVICE: Key = ("default", "kubernetes")


class ApiService:
    """Makes the service and its endpoints anew when one of them goes."""

    def __init__(self, api: Api) -> None:
        self._api = api
        found = (api.find(kind, API_SERVICE) for kind in (SERVICE, ENDPOINTS, ENDPOINT_SLICE))
        self._own = [_unborn(stored.object) for stored in found if stored]

    def existing(self) -> list[Key]:
        return [API_SERVICE]

    def affected(self, change: Change) -> list[Key]:
        return self.existing() if change.key == API_SERVICE and change.new is None else []

    def reconcile(self, _: Key) -> None:
        for obj in self._own:
            self._api.ensure(obj)


def _unborn(obj: Object) -> Object:
    """An object as it was before the server stored it."""
    kept = ("name", "namespace", "labels")
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k in kept}}
