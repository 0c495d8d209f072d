"""Conditions in a status: what holds, why, and since when. Changes them in place."""

from __future__ import annotations

from typing import Any

from lab.kube.names import now

Object = dict[str, Any]


def set_condition(
    conditions: list[Object], kind: str, value: str, reason: str, message: str
) -> None:
    """Add or change a condition; its transition time moves only when its status does."""
    entry = next((c for c in conditions if c["type"] == kind), None)
    if entry is None:
        entry = {"type": kind, "status": "", "lastTransitionTime": now()}
        conditions.append(entry)
    if (entry["status"], entry.get("reason"), entry.get("message")) == (value, reason, message):
        return
    if "lastUpdateTime" in entry:
        entry["lastUpdateTime"] = now()
    if entry["status"] != value:
        entry["lastTransitionTime"] = now()
    entry |= {"status": value, "reason": reason, "message": message}
