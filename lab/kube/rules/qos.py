"""Quality-of-service classes of pods. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

Object = dict[str, Any]


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
