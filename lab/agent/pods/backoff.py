"""When a container that ended is started again."""

from __future__ import annotations

FIRST = 10.0
LONGEST = 300.0
FORGIVEN = 600.0
"""Seconds: the kubelet's delays, and how long a container must run to start afresh."""


def restarts(policy: str | None, code: int) -> bool:
    """Whether a pod's restartPolicy wants a container back that ended with `code`."""
    return policy in (None, "Always") or (policy == "OnFailure" and code != 0)


def delay(crashes: int) -> float:
    """Seconds from the end to the next start after that many crashes in a row."""
    if crashes <= 1:
        return 0.0
    return float(min(FIRST * 2 ** (crashes - 2), LONGEST))


def crashes_now(before: int, ran_for: float) -> int:
    """The count of crashes in a row after one more run, of that many seconds."""
    return 1 if ran_for >= FORGIVEN else before + 1
