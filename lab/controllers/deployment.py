"""Deployment -> ReplicaSets: one for each pod template it has had, revisions, rolling updates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.controllers import rollout
from lab.controllers.deployment_status import COUNTS, set_conditions, status_of
from lab.controllers.events import record
from lab.controllers.owners import owner_reference
from lab.controllers.rollout import Bounds, Generation
from lab.kube.api import Api, copy_of, deep_copy
from lab.kube.kinds import DEPLOYMENT, REPLICA_SET
from lab.kube.names import template_hash
from lab.kube.store import Change, Key

Object = dict[str, Any]

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_OWN_ANNOTATIONS = (
    REVISION, HISTORY, DESIRED, MAXIMUM, "kubectl.kubernetes.io/last-applied-configuration",
)  # fmt: skip


class DeploymentController:
    """Reconciles one Deployment a turn."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def existing(self) -> Iterable[Key]:
        return [key for key, _ in self._api.store.all(DEPLOYMENT.qualified)]

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind == DEPLOYMENT.qualified:
            return [change.key]
        if change.kind != REPLICA_SET.qualified:
            return []
        latest = change.new or change.old
        assert latest is not None
        owners = latest.object["metadata"].get("ownerReferences") or ()
        return [(change.key[0], o["name"]) for o in owners if o["kind"] == "Deployment"]

    def reconcile(self, key: Key) -> float | None:
        stored = self._api.find(DEPLOYMENT, key)
        if stored is None or "deletionTimestamp" in stored.object["metadata"]:
            return None
        deployment = stored.object
        sets = self._sets(deployment)
        wanted_hash = template_hash(deployment["spec"]["template"])
        new = next((s for s in sets if s["metadata"]["labels"].get(HASH) == wanted_hash), None)
        old = [s for s in sets if s is not new]
        if deployment["spec"].get("paused"):
            self._rescale(deployment, new, old)
        elif deployment["spec"]["strategy"]["type"] == "Recreate":
            new = self._recreate(deployment, new, old, wanted_hash)
        else:
            new = self._roll(deployment, new, old, wanted_hash)
        self._forget(deployment, new, old)
        return self._report(key, new)

    def _sets(self, deployment: Object) -> list[Object]:
        """Its ReplicaSets, oldest first."""
        owned = self._api.store.owned(deployment["metadata"]["uid"])
        sets = [
            self._api.get(REPLICA_SET, k).object
            for kind, k in owned
            if kind == REPLICA_SET.qualified
        ]
        return sorted(sets, key=_revision)

    def _roll(
        self, deployment: Object, new: Object | None, old: list[Object], wanted_hash: str
    ) -> Object:
        bounds = Bounds.of(deployment["spec"])
        fresh = new is None
        new = self._current(deployment, new, old, wanted_hash, bounds)
        if not fresh and self._rescale(deployment, new, old):
            return new
        generations = [_generation(s) for s in old]
        grown = rollout.grow_new(_generation(new), generations, bounds)
        if self._scale(deployment, new, grown):
            return new
        smaller = rollout.shrink_old(_generation(new), generations, bounds)
        for replica_set in old:
            self._scale(deployment, replica_set, smaller[replica_set["metadata"]["name"]])
        return new

    def _recreate(
        self, deployment: Object, new: Object | None, old: list[Object], wanted_hash: str
    ) -> Object | None:
        for replica_set in old:
            self._scale(deployment, replica_set, 0)
        if any(s.get("status", {}).get("replicas") or s["spec"]["replicas"] for s in old):
            return new
        bounds = Bounds.of(deployment["spec"])
        new = self._current(deployment, new, old, wanted_hash, bounds)
        self._scale(deployment, new, bounds.total)
        return new

    def _current(
        self,
        deployment: Object,
        new: Object | None,
        old: list[Object],
        wanted_hash: str,
        bounds: Bounds,
    ) -> Object:
        """The ReplicaSet of the present template, made or brought to the newest revision."""
        newest = max([_revision(s) for s in old], default=0)
        if new is None:
            generations = [_generation(s) for s in old]
            first = Generation("", 0)
            rolling = deployment["spec"]["strategy"]["type"] == "RollingUpdate"
            replicas = rollout.grow_new(first, generations, bounds) if rolling else 0
            return self._make(deployment, wanted_hash, newest + 1, replicas)
        annotations = _inherited(deployment)
        have = new["metadata"].get("annotations") or {}
        if _revision(new) <= newest:
            past = [p for p in have.get(HISTORY, "").split(",") if p]
            annotations |= {REVISION: str(newest + 1), HISTORY: ",".join([*past, have[REVISION]])}
        if not annotations.items() <= have.items():
            obj = self._api.fresh(REPLICA_SET, _key(new))
            obj["metadata"].setdefault("annotations", {}).update(annotations)
            return self._api.update(REPLICA_SET, _key(new), obj).object
        return new

    def _make(self, deployment: Object, wanted_hash: str, revision: int, replicas: int) -> Object:
        meta, spec = deployment["metadata"], deployment["spec"]
        template, selector = deep_copy(spec["template"]), deep_copy(spec["selector"])
        template["metadata"].setdefault("labels", {})[HASH] = wanted_hash
        selector.setdefault("matchLabels", {})[HASH] = wanted_hash
        bounds = Bounds.of(spec)
        annotations = {
            **_inherited(deployment),
            REVISION: str(revision),
            DESIRED: str(bounds.total),
            MAXIMUM: str(bounds.total + bounds.surge),
        }
        replica_set = {
            "metadata": {
                "name": f"{meta['name']}-{wanted_hash}",
                "labels": dict(template["metadata"]["labels"]),
                "annotations": annotations,
                "ownerReferences": [owner_reference(DEPLOYMENT, deployment)],
            },
            "spec": {
                "replicas": replicas,
                "minReadySeconds": spec.get("minReadySeconds", 0),
                "selector": selector,
                "template": template,
            },
        }
        made = self._api.create(REPLICA_SET, meta["namespace"], replica_set).object
        if replicas:
            self._tell(deployment, made, 0, replicas)
        return made

    def _rescale(self, deployment: Object, new: Object | None, old: list[Object]) -> bool:
        """Carry a changed spec.replicas to the ReplicaSets that have any; tells if it did."""
        active = [s for s in [*old, *([new] if new else [])] if s["spec"]["replicas"]]
        bounds = Bounds.of(deployment["spec"])
        stale = [
            s for s in active if s["metadata"]["annotations"].get(DESIRED) != str(bounds.total)
        ]
        if not stale:
            return False
        if len(active) == 1:
            shares = {active[0]["metadata"]["name"]: bounds.total}
        else:
            most = bounds.total + (bounds.surge if bounds.total else 0)
            before = int(stale[0]["metadata"]["annotations"].get(MAXIMUM, most))
            room = most - before + sum(s["spec"]["replicas"] for s in active)
            shares = rollout.spread([_generation(s) for s in active], max(room, 0))
        for replica_set in active:
            self._scale(deployment, replica_set, shares[replica_set["metadata"]["name"]])
        return True

    def _scale(self, deployment: Object, replica_set: Object, replicas: int) -> bool:
        bounds = Bounds.of(deployment["spec"])
        notes = {DESIRED: str(bounds.total), MAXIMUM: str(bounds.total + bounds.surge)}
        obj = self._api.fresh(REPLICA_SET, _key(replica_set))
        before = obj["spec"]["replicas"]
        obj["metadata"].setdefault("annotations", {}).update(notes)
        obj["spec"]["replicas"] = replicas
        self._api.update(REPLICA_SET, _key(replica_set), obj)
        if before != replicas:
            self._tell(deployment, replica_set, before, replicas)
        return bool(before != replicas)

    def _tell(self, deployment: Object, replica_set: Object, before: int, after: int) -> None:
        direction = "up" if after > before else "down"
        name = replica_set["metadata"]["name"]
        message = f"Scaled {direction} replica set {name} from {before} to {after}"
        record(
            self._api, deployment, "ScalingReplicaSet", message, component="deployment-controller"
        )

    def _forget(self, deployment: Object, new: Object | None, old: list[Object]) -> None:
        """Delete the oldest empty ReplicaSets beyond the history that is to be kept."""
        empty = [
            s for s in old
            if not s["spec"]["replicas"] and not s.get("status", {}).get("replicas")
        ]  # fmt: skip
        surplus = len(empty) - deployment["spec"].get("revisionHistoryLimit", 10)
        for replica_set in empty[: max(surplus, 0)] if new else ():
            self._api.delete(REPLICA_SET, _key(replica_set))

    def _report(self, key: Key, new: Object | None) -> float | None:
        """Bring the Deployment's status and revision up to date."""
        stored = self._api.get(DEPLOYMENT, key)
        sets = self._sets(stored.object)
        new = next(
            (s for s in sets if new and s["metadata"]["uid"] == new["metadata"]["uid"]), None
        )
        obj = copy_of(stored)
        if new:
            revision = new["metadata"]["annotations"][REVISION]
            if (obj["metadata"].get("annotations") or {}).get(REVISION) != revision:
                obj["metadata"].setdefault("annotations", {})[REVISION] = revision
                obj = copy_of(self._api.update(DEPLOYMENT, key, obj))
        before = obj.get("status", {})
        obj["status"] = status_of(obj, sets, new)
        moved = any(before.get(n) != obj["status"].get(n) for n in COUNTS)
        obj["status"]["conditions"] = before.get("conditions", [])
        again = set_conditions(obj, new, moved=moved)
        self._api.update(DEPLOYMENT, key, obj, subresource="status")
        return again


def _inherited(deployment: Object) -> dict[str, str]:
    annotations = deployment["metadata"].get("annotations") or {}
    return {k: v for k, v in annotations.items() if k not in _OWN_ANNOTATIONS}


def _revision(replica_set: Object) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def _generation(replica_set: Object) -> Generation:
    available = replica_set.get("status", {}).get("availableReplicas", 0)
    return Generation(replica_set["metadata"]["name"], replica_set["spec"]["replicas"], available)


def _key(obj: Object) -> Key:
    return (obj["metadata"]["namespace"], obj["metadata"]["name"])
