"""A Deployment's status: counts, Available and Progressing. Pure."""

from __future__ import annotations

from typing import Any

from lab.controllers.conditions import set_condition
from lab.controllers.rollout import Bounds
from lab.kube.names import now, seconds_since

Object = dict[str, Any]

COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
"""Any change of these is progress."""


def status_of(deployment: Object, sets: list[Object], new: Object | None) -> Object:
    """The counts of a Deployment's status; zeros are left out, as Kubernetes leaves them out."""

    def total(name: str) -> int:
        return sum(s.get("status", {}).get(name, 0) for s in sets)

    replicas, available = total("replicas"), total("availableReplicas")
    counts = {
        "replicas": replicas,
        "updatedReplicas": (new or {}).get("status", {}).get("replicas", 0),
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(
            max(replicas, sum(s["spec"]["replicas"] for s in sets)) - available, 0
        ),
    }
    status = {name: count for name, count in counts.items() if count}
    return {"observedGeneration": deployment["metadata"]["generation"], **status}


def set_conditions(deployment: Object, new: Object | None, *, moved: bool) -> float | None:
    """Available and Progressing; returns the seconds until the progress deadline."""
    status, spec = deployment["status"], deployment["spec"]
    bounds, conditions = Bounds.of(spec), status["conditions"]
    if status.get("availableReplicas", 0) >= bounds.total - bounds.unavailable:
        set_condition(conditions, "Available", "True", "MinimumReplicasAvailable",
                      "Deployment has minimum availability.")  # fmt: skip
    else:
        set_condition(conditions, "Available", "False", "MinimumReplicasUnavailable",
                      "Deployment does not have minimum availability.")  # fmt: skip
    if new is None:
        return None
    counts = {status.get(n, 0) for n in ("replicas", "updatedReplicas", "availableReplicas")}
    done = counts == {spec["replicas"]}
    deadline = float(spec.get("progressDeadlineSeconds", 600))
    return _progressing(conditions, new["metadata"]["name"], deadline, done=done, moved=moved)


def _progressing(
    conditions: list[Object], name: str, deadline: float, *, done: bool, moved: bool
) -> float | None:
    entry = next((c for c in conditions if c["type"] == "Progressing"), None)
    reason = entry["reason"] if entry else ""
    if done:
        text = f'ReplicaSet "{name}" has successfully progressed.'
        set_condition(conditions, "Progressing", "True", "NewReplicaSetAvailable", text)
        return None
    if entry and not moved and reason != "NewReplicaSetAvailable":
        left = deadline - seconds_since(entry["lastUpdateTime"])
        if left > 0:
            return left + 0.1
        text = f'ReplicaSet "{name}" has timed out progressing.'
        set_condition(conditions, "Progressing", "False", "ProgressDeadlineExceeded", text)
        return None
    if reason in ("", "NewReplicaSetAvailable"):
        text = f'Created new replica set "{name}"'
        set_condition(conditions, "Progressing", "True", "NewReplicaSetCreated", text)
    else:
        text = f'ReplicaSet "{name}" is progressing.'
        set_condition(conditions, "Progressing", "True", "ReplicaSetUpdated", text)
    next(c for c in conditions if c["type"] == "Progressing")["lastUpdateTime"] = now()
    return deadline
