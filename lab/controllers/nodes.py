"""Node lifecycle: leases that are renewed or not, the taints that follow, and who has to leave."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from lab.controllers.conditions import set_condition
from lab.controllers.events import record
from lab.controllers.pods import is_active, is_ready
from lab.controllers.scheduler import tolerations_of
from lab.kube.api import Api, copy_of
from lab.kube.kinds import LEASE, NODE, POD
from lab.kube.kubelet_api import LEASE_GRACE
from lab.kube.names import now, seconds_since
from lab.kube.store import Change, Key

Object = dict[str, Any]

LEASES = "kube-node-lease"
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_OURS = (NOT_READY, UNREACHABLE, UNSCHEDULABLE)
_COMPONENT = "node-controller"
_LOST = "NodeStatusUnknown"
"""The reason by which this controller knows the conditions that it set itself."""


class NodeController:
    """Reconciles one Node, and the pods on it, a turn."""

    def __init__(self, api: Api, grace: float = LEASE_GRACE) -> None:
        self._api = api
        self._grace = grace
        self._seen: dict[str, tuple[str, float]] = {}
        """Of each node's lease: its renewTime, and when this server first saw it."""

    def existing(self) -> Iterable[Key]:
        pods = self._api.store.all(POD.qualified)
        used = {("", s.object["spec"].get("nodeName", "")) for _, s in pods} - {("", "")}
        return sorted(used | {key for key, _ in self._api.store.all(NODE.qualified)})

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind == NODE.qualified:
            return [change.key]
        if change.kind == LEASE.qualified and change.key[0] == LEASES:
            return [("", change.key[1])]
        if change.kind == POD.qualified and change.new:
            name = change.new.object["spec"].get("nodeName")
            bound = change.old is None or change.old.object["spec"].get("nodeName") != name
            return [("", name)] if name and bound else []
        return []

    def reconcile(self, key: Key) -> float | None:
        stored = self._api.find(NODE, key)
        if stored is None:
            self._forget(key[1])
            return None
        left = self._lease_left(key[1], stored.object)
        if left <= 0:
            self._lost(key)
        elif _ready(stored.object).get("reason") == _LOST:
            self._found(key)
        self._taint(key)
        waits = [wait for wait in (left, *self._evict(key)) if wait > 0]
        return min(waits) + 0.01 if waits else None

    def _pods(self, node: str) -> list[tuple[Key, Object]]:
        found = self._api.store.all(POD.qualified)
        return [(k, s.object) for k, s in found if s.object["spec"].get("nodeName") == node]

    def _forget(self, node: str) -> None:
        """A deleted Node takes its pods along: nobody is there to stop them."""
        for key, pod in self._pods(node):
            self._api.store.remove(POD.qualified, key)
            record(self._api, pod, "NodeDeleted", f"node {node} is gone", component=_COMPONENT)

    def _lease_left(self, name: str, node: Object) -> float:
        """Seconds until the node counts as lost; a node that never reported gets no more.

        What counts is when this server saw the lease change: clocks need not agree, and a server
        that was away does not blame the nodes for it.
        """
        lease = self._api.find(LEASE, (LEASES, name))
        if lease is None:
            return self._grace if _ready(node).get("status") == "True" else 0.0
        renewed = lease.object.get("spec", {}).get("renewTime", "")
        seen, when = self._seen.get(name, ("", 0.0))
        if seen != renewed or not when:
            when = time.monotonic()
            self._seen[name] = (renewed, when)
        return self._grace - (time.monotonic() - when)

    def _lost(self, key: Key) -> None:
        node = self._api.fresh(NODE, key)
        before = _ready(node)
        if before.get("status") == "Unknown":
            return
        text = "Kubelet stopped posting node status."
        reason = _LOST if before else "NodeStatusNeverUpdated"
        self._set_ready(key, node, "Unknown", reason, text)
        if not before:
            return
        record(self._api, node, "NodeNotReady", f"Node {key[1]} status is now: NodeNotReady",
               component=_COMPONENT)  # fmt: skip
        for pod_key, pod in self._pods(key[1]):
            if is_ready(pod):
                self._set_pod_ready(pod_key, "False", "NodeLost")

    def _found(self, key: Key) -> None:
        """The lease is renewed again: what this controller took back holds again."""
        node = self._api.fresh(NODE, key)
        self._set_ready(key, node, "True", "KubeletReady", "kubelet is posting ready status")
        record(self._api, node, "NodeReady", f"Node {key[1]} status is now: NodeReady",
               component=_COMPONENT)  # fmt: skip
        for pod_key, pod in self._pods(key[1]):
            conditions = {c["type"]: c for c in pod.get("status", {}).get("conditions") or ()}
            lost = conditions.get("Ready", {}).get("reason") == "NodeLost"
            if lost and conditions.get("ContainersReady", {}).get("status") == "True":
                self._set_pod_ready(pod_key, "True", "")

    def _set_ready(self, key: Key, node: Object, value: str, reason: str, text: str) -> None:
        conditions = node.setdefault("status", {}).setdefault("conditions", [])
        set_condition(conditions, "Ready", value, reason, text)
        self._api.update(NODE, key, node, subresource="status")

    def _set_pod_ready(self, key: Key, value: str, reason: str) -> None:
        pod = self._api.fresh(POD, key)
        set_condition(pod["status"].setdefault("conditions", []), "Ready", value, reason, "")
        self._api.update(POD, key, pod, subresource="status")

    def _taint(self, key: Key) -> None:
        """Taints say what the Ready condition and spec.unschedulable say."""
        node = copy_of(self._api.get(NODE, key))
        taints = node["spec"].get("taints") or []
        wanted = wanted_taints(node)
        have = [(t["key"], t["effect"]) for t in taints if t["key"] in _OURS]
        if sorted(have) == sorted(wanted):
            return
        kept = [t for t in taints if t["key"] not in _OURS or (t["key"], t["effect"]) in wanted]
        for name, effect in wanted:
            if (name, effect) not in have:
                kept.append({"key": name, "effect": effect, "timeAdded": now()})
        node["spec"]["taints"] = kept
        if not kept:
            del node["spec"]["taints"]
        self._api.update(NODE, key, node)

    def _evict(self, key: Key) -> Iterable[float]:
        """Delete the pods that a NoExecute taint drives out; yields how long others may stay."""
        node = self._api.get(NODE, key).object
        taints = [t for t in node["spec"].get("taints") or () if t["effect"] == "NoExecute"]
        for pod_key, pod in self._pods(key[1]) if taints else ():
            if not is_active(pod):
                continue
            left = min(seconds_to_stay(taint, pod) for taint in taints)
            if left > 0:
                yield left
                continue
            text = f"Marking for deletion Pod {'/'.join(pod_key)}"
            record(
                self._api, pod, "TaintManagerEviction", text, component="taint-eviction-controller"
            )
            self._api.delete(POD, pod_key)


def wanted_taints(node: Object) -> list[tuple[str, str]]:
    """Key and effect of the taints that a node's state asks for."""
    ready = _ready(node).get("status")
    wanted = []
    if ready != "True":
        name = NOT_READY if ready == "False" else UNREACHABLE
        wanted = [(name, "NoSchedule"), (name, "NoExecute")]
    if node["spec"].get("unschedulable"):
        wanted.append((UNSCHEDULABLE, "NoSchedule"))
    return wanted


def seconds_to_stay(taint: Object, pod: Object) -> float:
    """How long a pod may stay on a node with a NoExecute taint; infinite when it tolerates it."""
    tolerating = tolerations_of(taint, pod["spec"])
    if not tolerating:
        return 0.0
    bounds = [t["tolerationSeconds"] for t in tolerating if "tolerationSeconds" in t]
    if not bounds:
        return float("inf")
    return float(min(bounds)) - (seconds_since(taint["timeAdded"]) if "timeAdded" in taint else 0)


def _ready(node: Object) -> Object:
    conditions = node.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == "Ready"), {})
