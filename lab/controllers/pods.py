"""What the controllers ask of a pod. Pure."""

from __future__ import annotations

from typing import Any

from lab.kube.names import seconds_since

Object = dict[str, Any]


def is_ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def is_terminating(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_active(pod: Object) -> bool:
    """Counts as a replica: neither ended nor on its way out."""
    return not is_ended(pod) and not is_terminating(pod)


def ready_condition(pod: Object) -> Object:
    conditions = pod.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == "Ready"), {})


def is_ready(pod: Object) -> bool:
    return bool(ready_condition(pod).get("status") == "True")


def seconds_until_available(pod: Object, min_ready: int) -> float | None:
    """0 for a pod that has been ready long enough, what is left of the time, None if not ready."""
    if not is_ready(pod):
        return None
    if not min_ready:
        return 0.0
    return max(min_ready - seconds_since(ready_condition(pod)["lastTransitionTime"]), 0.0)
