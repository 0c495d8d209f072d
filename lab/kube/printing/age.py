"""Ages as kubectl prints them. Pure."""

from __future__ import annotations

from lab.kube.names import seconds_since


def age(timestamp: str) -> str:
    """Time passed since, as kubectl shortens it: 45s, 3m12s, 26h, 7d3h."""
    if not timestamp:
        return "<unknown>"
    try:
        return duration(seconds_since(timestamp))
    except ValueError:
        return "<invalid>"  # a custom kind may call anything a date


def duration(seconds: float) -> str:
    """Kubernetes' HumanDuration: two units while they are small, one when they are not."""
    left = int(seconds)
    if left < -1:
        return "<invalid>"
    left = max(left, 0)
    text = ""
    for unit in next((units for limit, units in _FORMS if left < limit), "y"):
        count, left = divmod(left, _UNITS[unit])
        text += f"{count}{unit}" if count or not text else ""
    return text


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}
"""Seconds."""
_FORMS = (
    (120, "s"), (600, "ms"), (3 * 3600, "m"), (8 * 3600, "hm"), (48 * 3600, "h"),
    (8 * 86400, "dh"), (730 * 86400, "d"), (8 * 365 * 86400, "yd"),
)  # fmt: skip
"""Which units an age below a limit is told in."""
