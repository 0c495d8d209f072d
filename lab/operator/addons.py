"""The cluster's own pods: made when every node is Ready, so that they hold up no node's start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.kube.api import Api
from lab.kube.kinds import NODE
from lab.kube.store import Change, Key

Object = dict[str, Any]

ALL: Key = ("", "addons")
"""The one thing to reconcile: it is no object's key."""


class AddonController:
    """Makes the objects that are not there, once; what people change or delete stays so."""

    def __init__(self, api: Api, objects: Sequence[Object]) -> None:
        self._api = api
        self._due = list(objects)

    def existing(self) -> list[Key]:
        return [ALL]

    def affected(self, change: Change) -> list[Key]:
        return [ALL] if self._due and change.kind == NODE.qualified else []

    def reconcile(self, _: Key) -> None:
        nodes = [stored.object for _, stored in self._api.store.all(NODE.qualified)]
        if not nodes or not all(map(_is_ready, nodes)):
            return
        due, self._due = self._due, []
        for obj in due:
            self._api.ensure(obj)


def _is_ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
