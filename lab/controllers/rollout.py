"""The arithmetic of a rolling update: how many replicas each ReplicaSet should have. Pure.

Numbers as in Kubernetes' documentation of Deployments: maxSurge rounds up, maxUnavailable down,
and both being zero counts as one unavailable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Generation:
    """One ReplicaSet of a Deployment: what it is asked for and how many are available."""

    name: str
    wanted: int
    available: int = 0


@dataclass(frozen=True)
class Bounds:
    """`total` replicas are wanted; at most `surge` more and `unavailable` less meanwhile."""

    total: int
    surge: int
    unavailable: int

    @classmethod
    def of(cls, spec: dict[str, Any]) -> Bounds:
        """The bounds of a Deployment's spec."""
        total = spec["replicas"]
        if spec["strategy"]["type"] != "RollingUpdate":
            return cls(total, 0, 0)
        rolling = spec["strategy"].get("rollingUpdate") or {}
        surge = _share(rolling.get("maxSurge", "25%"), total, math.ceil)
        unavailable = _share(rolling.get("maxUnavailable", "25%"), total, math.floor)
        if not surge and not unavailable:
            unavailable = 1
        return cls(total, surge, min(unavailable, total) if total else 0)


def _share(value: int | str, total: int, rounding: Any) -> int:
    if isinstance(value, int):
        return value
    return int(rounding(int(value.rstrip("%")) * total / 100))


def grow_new(new: Generation, old: Sequence[Generation], bounds: Bounds) -> int:
    """Replicas of the new ReplicaSet in the next step."""
    if new.wanted >= bounds.total:
        return bounds.total
    room = bounds.total + bounds.surge - new.wanted - sum(g.wanted for g in old)
    return new.wanted + max(min(room, bounds.total - new.wanted), 0)


def shrink_old(new: Generation, old: Sequence[Generation], bounds: Bounds) -> dict[str, int]:
    """Replicas of the old ReplicaSets (oldest first) in the next step, by name.

    Replicas that are not available go first: losing them takes nothing away.
    """
    least = bounds.total - bounds.unavailable
    everything = new.wanted + sum(g.wanted for g in old)
    spare = everything - least - (new.wanted - new.available)
    left = {}
    for generation in old:
        sick = max(generation.wanted - generation.available, 0)
        cut = max(min(sick, spare), 0)
        spare -= cut
        left[generation.name] = replace(generation, wanted=generation.wanted - cut)
    # A set that was just made smaller still reports the replicas that are about to go.
    surplus = new.available + sum(min(g.available, g.wanted) for g in left.values()) - least
    result = {}
    for name, generation in left.items():
        cut = max(min(generation.wanted, surplus), 0)
        surplus -= cut
        result[name] = generation.wanted - cut
    return result


def spread(generations: Sequence[Generation], total: int) -> dict[str, int]:
    """Share a changed total among ReplicaSets in proportion to their size (a scale in mid-rollout).

    Rounding errors go to the largest, which is what keeps the sum right.
    """
    now = sum(g.wanted for g in generations)
    if not now:
        return {g.name: g.wanted for g in generations}
    shares = {g.name: round(g.wanted * total / now) for g in generations}
    largest = max(generations, key=lambda g: g.wanted)
    shares[largest.name] += total - sum(shares.values())
    return shares
