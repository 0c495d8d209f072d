"""Pods -> nodes: filter the nodes that a pod may run on, then spread."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from lab.controllers.conditions import set_condition
from lab.controllers.events import record
from lab.controllers.owners import controller_of
from lab.controllers.pods import is_active
from lab.kube import selectors
from lab.kube.api import Api
from lab.kube.kinds import NODE, POD
from lab.kube.store import Change, Key

Object = dict[str, Any]

NAME = "default-scheduler"


class Scheduler:
    """Binds each pod that has no node yet; looks again when nodes change or pods leave."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._on_node: dict[str, set[Key]] = defaultdict(set)
        self._pending: dict[Key, None] = {}
        for key, stored in api.store.all(POD.qualified):
            self._count(key, None, stored.object)

    def existing(self) -> Iterable[Key]:
        return list(self._pending)

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind == NODE.qualified:
            return list(self._pending)
        if change.kind != POD.qualified:
            return []
        old, new = (s.object if s else None for s in (change.old, change.new))
        self._count(change.key, old, new)
        if new is None:
            return list(self._pending)
        return [change.key] if old is None and change.key in self._pending else []

    def _count(self, key: Key, old: Object | None, new: Object | None) -> None:
        before = old["spec"].get("nodeName") if old else None
        after = new["spec"].get("nodeName") if new and is_active(new) else None
        if before and before != after:
            self._on_node[before].discard(key)
        if after:
            self._on_node[after].add(key)
        waits = new is not None and not new["spec"].get("nodeName") and is_active(new)
        if waits and new and new["spec"].get("schedulerName") == NAME:
            self._pending[key] = None
        else:
            self._pending.pop(key, None)

    def reconcile(self, key: Key) -> float | None:
        stored = self._api.find(POD, key)
        if stored is None or key not in self._pending:
            return None
        pod = self._api.fresh(POD, key)
        nodes = [stored.object for _, stored in self._api.store.all(NODE.qualified)]
        loads = {name: len(keys) for name, keys in self._on_node.items()}
        refusals = {n["metadata"]["name"]: refusal(pod, n, loads) for n in nodes}
        fitting = [n for n in nodes if not refusals[n["metadata"]["name"]]]
        if fitting:
            self._bind(key, pod, choose(pod, fitting, loads, self._siblings(pod)))
        else:
            self._refuse(key, pod, explain(list(refusals.values())))
        return None

    def _siblings(self, pod: Object) -> Counter[str]:
        """How many pods of the same owner run on each node."""
        owner = controller_of(pod)
        keys = [k for kind, k in self._api.store.owned(owner["uid"])] if owner else []
        found = (self._api.find(POD, key) for key in keys)
        return Counter(
            s.object["spec"]["nodeName"]
            for s in found
            if s and s.object["spec"].get("nodeName") and is_active(s.object)
        )

    def _bind(self, key: Key, pod: Object, node: str) -> None:
        pod["spec"]["nodeName"] = node
        conditions = pod.setdefault("status", {}).setdefault("conditions", [])
        set_condition(conditions, "PodScheduled", "True", "", "")
        condition = next(c for c in conditions if c["type"] == "PodScheduled")
        for name in ("reason", "message"):
            condition.pop(name, None)
        # One write: an agent that sees the pod bound sees the condition too.
        bound = self._api.bind(key, pod)
        message = f"Successfully assigned {key[0]}/{key[1]} to {node}"
        record(self._api, bound.object, "Scheduled", message, component=NAME)

    def _refuse(self, key: Key, pod: Object, why: str) -> None:
        conditions = pod.setdefault("status", {}).setdefault("conditions", [])
        known = [c.get("message") for c in conditions if c["type"] == "PodScheduled"]
        if known == [why]:
            return
        set_condition(conditions, "PodScheduled", "False", "Unschedulable", why)
        self._api.update(POD, key, pod, subresource="status")
        record(self._api, pod, "FailedScheduling", why, component=NAME, warning=True)


def refusal(pod: Object, node: Object, loads: Mapping[str, int]) -> str:
    """Why a node cannot take a pod, in the scheduler's words; "" when it can."""
    spec, labels = pod["spec"], node["metadata"].get("labels") or {}
    if node["spec"].get("unschedulable") and not tolerated(
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, spec
    ):
        return "node(s) were unschedulable"
    for taint in node["spec"].get("taints") or ():
        if taint["effect"] in ("NoSchedule", "NoExecute") and not tolerated(taint, spec):
            value = f": {taint['value']}" if taint.get("value") else ": "
            return f"node(s) had untolerated taint {{{taint['key']}{value}}}"
    if not selectors.matches(selectors.from_labels(spec.get("nodeSelector") or {}), labels):
        return "node(s) didn't match Pod's node affinity/selector"
    if not _affine(spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    room = int(node.get("status", {}).get("allocatable", {}).get("pods", 110))
    return "Too many pods" if loads.get(node["metadata"]["name"], 0) >= room else ""


def tolerated(taint: Object, spec: Object) -> bool:
    """Whether one of a pod's tolerations covers a taint."""
    return bool(tolerations_of(taint, spec))


def tolerations_of(taint: Object, spec: Object) -> list[Object]:
    """The tolerations of a pod that cover a taint."""
    return [t for t in spec.get("tolerations") or () if _covers(t, taint)]


def _covers(toleration: Object, taint: Object) -> bool:
    effect, key = toleration.get("effect"), toleration.get("key")
    if effect not in (None, "", taint["effect"]) or key not in (None, "", taint["key"]):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(key) and toleration.get("value", "") == taint.get("value", "")


def _affine(spec: Object, node: Object) -> bool:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    labels, name = node["metadata"].get("labels") or {}, node["metadata"]["name"]
    for term in required.get("nodeSelectorTerms") or ():
        wanted = selectors.from_object({"matchExpressions": term.get("matchExpressions")}) or ()
        fields = selectors.from_object({"matchExpressions": term.get("matchFields")}) or ()
        fits = selectors.matches(wanted, labels) and selectors.matches(
            fields, {"metadata.name": name}
        )
        if (wanted or fields) and fits:
            return True
    return False


def choose(
    pod: Object, nodes: list[Object], loads: Mapping[str, int], siblings: Mapping[str, int]
) -> str:
    """The node with the fewest pods of the same owner, then the fewest at all, then by name."""

    def rank(node: Object) -> tuple[bool, int, int, str]:
        name = str(node["metadata"]["name"])
        soft = any(
            t["effect"] == "PreferNoSchedule" and not tolerated(t, pod["spec"])
            for t in node["spec"].get("taints") or ()
        )
        return (soft, siblings.get(name, 0), loads.get(name, 0), name)

    return rank(min(nodes, key=rank))[-1]


def explain(refusals: list[str]) -> str:
    """`0/6 nodes are available: 1 ..., 5 ....`"""
    counts = sorted(f"{count} {why}" for why, count in Counter(refusals).items())
    total = len(refusals)
    if not total:
        return "no nodes available to schedule pods"
    return f"0/{total} nodes are available: {', '.join(counts)}."
