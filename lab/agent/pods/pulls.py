"""An image that cannot be had: pulled in vain, again and again, as the kubelet does it."""

from __future__ import annotations

from collections.abc import Callable

from lab.agent.pods.backoff import delay
from lab.agent.pods.spec import ERR_IMAGE_PULL, Refusal

SHOWN = 3.0
"""Seconds for which a failed pull is told, before the pause is: until the next look at the pod."""

Tell = Callable[[str, str, str], None]
"""News for people: kind, reason, message."""


class Pulls:
    """Failed pulls of one image, with pauses of 10 s, 20 s, ... 300 s between them."""

    def __init__(self, image: str, why: str, tell: Tell) -> None:
        self._image = image
        self._failed = Refusal(ERR_IMAGE_PULL, why)
        self._pausing = Refusal("ImagePullBackOff", f'Back-off pulling image "{image}"')
        self._tell = tell
        self._count = 0
        self._told_until = 0.0
        self._due = 0.0
        self._waiting = self._pausing

    def step(self, now: float) -> tuple[Refusal, float]:
        """What the container waits for, and when (Unix seconds) that changes."""
        if now >= self._due:
            return self._pull(now)
        if now < self._told_until:
            return self._failed, self._told_until
        if self._waiting is not self._pausing:
            self._waiting = self._pausing
            self._tell("Normal", "BackOff", self._pausing.message)
            self._tell("Warning", "Failed", f"Error: {self._pausing.reason}")
        return self._pausing, self._due

    def _pull(self, now: float) -> tuple[Refusal, float]:
        self._count += 1
        self._waiting = self._failed
        self._told_until = now + SHOWN
        self._due = now + delay(self._count + 1)
        self._tell("Normal", "Pulling", f'Pulling image "{self._image}"')
        self._tell(
            "Warning", "Failed", f'Failed to pull image "{self._image}": {self._failed.message}'
        )
        self._tell("Warning", "Failed", f"Error: {self._failed.reason}")
        return self._failed, self._told_until
