"""ReplicaSet -> Pods: as many as wanted, from the template; the least useful go first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.controllers.events import record
from lab.controllers.owners import controller_of, owner_reference
from lab.controllers.pods import is_active, is_ready, seconds_until_available
from lab.kube import selectors
from lab.kube.api import Api, copy_of, deep_copy
from lab.kube.kinds import POD, REPLICA_SET
from lab.kube.store import Change, Key

Object = dict[str, Any]

BURST = 100
"""Pods made in one turn; the server answers requests before the next hundred."""


class ReplicaSetController:
    """Reconciles one ReplicaSet a turn."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def existing(self) -> Iterable[Key]:
        return [key for key, _ in self._api.store.all(REPLICA_SET.qualified)]

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind == REPLICA_SET.qualified:
            return [change.key]
        if change.kind != POD.qualified:
            return []
        latest = change.new or change.old
        assert latest is not None
        owner = controller_of(latest.object)
        if owner:
            return [(change.key[0], owner["name"])] if owner["kind"] == "ReplicaSet" else []
        return [
            key
            for key, stored in self._api.store.all(REPLICA_SET.qualified, change.key[0])
            if _selects(stored.object, latest.object)
        ]

    def reconcile(self, key: Key) -> float | None:
        stored = self._api.find(REPLICA_SET, key)
        if stored is None or "deletionTimestamp" in stored.object["metadata"]:
            return None
        replica_set = stored.object
        pods = [pod for pod in self._pods(replica_set) if is_active(pod)]
        missing = replica_set["spec"]["replicas"] - len(pods)
        for _ in range(min(missing, BURST)):
            self._make(replica_set)
        for pod in sorted(pods, key=usefulness)[: max(-missing, 0)]:
            self._api.delete(POD, (key[0], pod["metadata"]["name"]))
            message = f"Deleted pod: {pod['metadata']['name']}"
            record(self._api, replica_set, "SuccessfulDelete", message, component=_COMPONENT)
        return self._report(key)

    def _pods(self, replica_set: Object) -> list[Object]:
        """Its pods, and those without an owner that its selector matches: they become its own."""
        meta = replica_set["metadata"]
        owned = [k for kind, k in self._api.store.owned(meta["uid"]) if kind == POD.qualified]
        for label, value in (replica_set["spec"]["selector"].get("matchLabels") or {}).items():
            for key in self._api.store.labelled(POD.qualified, meta["namespace"], label, value):
                orphan = self._api.get(POD, key).object
                if (
                    not controller_of(orphan)
                    and _selects(replica_set, orphan)
                    and is_active(orphan)
                ):
                    pod = self._api.fresh(POD, key)
                    reference = owner_reference(REPLICA_SET, replica_set)
                    pod["metadata"].setdefault("ownerReferences", []).append(reference)
                    self._api.update(POD, key, pod)
                    owned.append(key)
            break
        pods = [self._api.get(POD, key).object for key in owned]
        return [pod for pod in pods if _selects(replica_set, pod)]

    def _make(self, replica_set: Object) -> None:
        meta, template = replica_set["metadata"], deep_copy(replica_set["spec"]["template"])
        pod = {
            "metadata": {
                **{k: v for k, v in template["metadata"].items() if k in ("labels", "annotations")},
                "generateName": meta["name"] + "-",
                "ownerReferences": [owner_reference(REPLICA_SET, replica_set)],
            },
            "spec": template["spec"],
        }
        made = self._api.create(POD, meta["namespace"], pod)
        message = f"Created pod: {made.object['metadata']['name']}"
        record(self._api, replica_set, "SuccessfulCreate", message, component=_COMPONENT)

    def _report(self, key: Key) -> float | None:
        stored = self._api.get(REPLICA_SET, key)
        pods = [pod for pod in self._pods(stored.object) if is_active(pod)]
        min_ready = stored.object["spec"].get("minReadySeconds", 0)
        waits = [seconds_until_available(pod, min_ready) for pod in pods]
        labels = stored.object["spec"]["template"]["metadata"].get("labels") or {}
        counts = {
            "fullyLabeledReplicas": sum(
                labels.items() <= pod["metadata"].get("labels", {}).items() for pod in pods
            ),
            "readyReplicas": sum(is_ready(pod) for pod in pods),
            "availableReplicas": sum(wait == 0 for wait in waits),
        }
        obj = copy_of(stored)
        obj["status"] = {
            "replicas": len(pods),
            **{name: count for name, count in counts.items() if count},
            "observedGeneration": obj["metadata"]["generation"],
        }
        self._api.update(REPLICA_SET, key, obj, subresource="status")
        return min((wait for wait in waits if wait), default=None)


_COMPONENT = "replicaset-controller"


def usefulness(pod: Object) -> tuple[bool, bool, bool, tuple[int, ...]]:
    """Sort key: what Kubernetes deletes first comes first.

    Not scheduled before scheduled, pending before running, not ready before ready, and among
    equals the younger before the older.
    """
    running = pod.get("status", {}).get("phase") == "Running"
    born = tuple(-ord(c) for c in pod["metadata"]["creationTimestamp"])
    return (bool(pod["spec"].get("nodeName")), running, is_ready(pod), born)


def _selects(replica_set: Object, pod: Object) -> bool:
    wanted = selectors.from_object(replica_set["spec"]["selector"]) or ()
    return selectors.matches(wanted, pod["metadata"].get("labels"))
