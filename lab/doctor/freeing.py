"""Looking at a host on which a lab has just ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

from lab import wait
from lab.errors import WaitTimeout

T = TypeVar("T")

FREED_WITHIN = 15.0
"""Seconds: programs and maps stay while a connection without a program holds their namespace
(lab/sandbox/orphans.py), and the kernel frees maps from a work queue afterwards (`bpf_map_put` in
kernel/bpf/syscall.c): 150 maps of a lab need a moment of their own."""


def look_when_freed(
    look: Callable[[], T], left: Callable[[T], object], *, within: float = FREED_WITHIN
) -> T:
    """The first look that finds nothing left, or the one after `within` seconds: what that finds
    is no longer being freed."""
    with contextlib.suppress(WaitTimeout):
        return wait.until(
            look, lambda seen: not left(seen), within=within, what="the kernel's freeing of maps"
        )
    return look()
