"""Spans of time as Go writes them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Rounded to seconds: 33m26s, 1h0m5s, 0s."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours}h{minutes}m{whole % 60}s"
    return f"{minutes}m{whole % 60}s" if minutes else f"{whole}s"
