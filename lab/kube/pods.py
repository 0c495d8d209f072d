"""What the controllers ask of a pod. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
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


def qos_class(spec: Object) -> str:
    """Guaranteed where all containers may use what they request and no more, BestEffort where
    none requests anything, Burstable between.
    """
    containers = [*spec.get("containers", ()), *spec.get("initContainers", ())]
    bounds = [c.get("resources") or {} for c in containers]
    asked = [{**(b.get("limits") or {}), **(b.get("requests") or {})} for b in bounds]
    if not any(name in a for a in asked for name in _COMPUTE):
        return "BestEffort"
    limits = [b.get("limits") or {} for b in bounds]
    firm = all(
        name in limit and _amount(limit[name]) == _amount(request[name])
        for limit, request in zip(limits, asked, strict=True)
        for name in _COMPUTE
    )
    return "Guaranteed" if firm else "Burstable"


_COMPUTE = ("cpu", "memory")
_SUFFIX = re.compile(r"(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)?$")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def _amount(quantity: object) -> Decimal:
    """A Quantity as a number, so that 1000m and 1 are equal."""
    text = str(quantity)
    suffix = (_SUFFIX.search(text) or [""])[0]
    number = Decimal(text[: len(text) - len(suffix)])
    if suffix.endswith("i"):
        return number * Decimal(1024 ** ("KMGTPE".index(suffix[0]) + 1))
    return number.scaleb(_DECIMAL[suffix])
