"""Texts of a topology read as values, and names listed for a message."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Network


def address(text: object) -> IPv4Address | None:
    """The address a text stands for, or None."""
    try:
        return IPv4Address(text) if isinstance(text, str) else None
    except ValueError:
        return None


def subnet(text: object) -> IPv4Network | None:
    """The subnet a text stands for, or None; host bits must be zero."""
    try:
        return IPv4Network(text) if isinstance(text, str) and "/" in text else None
    except ValueError:
        return None


def subnet6(text: object) -> IPv6Network | None:
    """The IPv6 subnet a text stands for, or None; host bits must be zero."""
    try:
        return IPv6Network(text) if isinstance(text, str) and "/" in text else None
    except ValueError:
        return None


def listed(names: Iterable[str]) -> str:
    """Names in one line: in the order of a tuple, else sorted."""
    return ", ".join(names if isinstance(names, tuple) else sorted(names))
