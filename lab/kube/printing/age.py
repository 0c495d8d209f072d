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
    whole = int(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    years = days // 365
    if whole < -1:
        return "<invalid>"
    if whole < 120:
        return f"{max(whole, 0)}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(big: int, unit: str, small: int, small_unit: str) -> str:
    return f"{big}{unit}{small}{small_unit}" if small else f"{big}{unit}"
