"""Probes of one run of a container, over its life: startup first, then readiness and liveness."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from lightkube.models.core_v1 import Container, Probe

from lab.agent.bell import Bell
from lab.agent.pods.probing import Asker, look

EAGER = 0.004
"""Seconds after the first look; the gap doubles up to the probe's period until it succeeds once.

The kubelet waits a whole period. A pod's first readiness is what a user waits for, and it costs
a few packets to see it at once.
"""
PERIOD = 10.0


@dataclass
class Health:
    """What the probes of one run found so far."""

    started: bool = False
    ready: bool = False
    ailing: str = ""
    """Why the container is to be killed; empty while it is well."""


class Prober:
    """Keeps `health` of a running container up to date; rings when it changes."""

    def __init__(
        self,
        container: Container,
        asker: Asker,
        bell: Bell,
        before: Health,
        tell: Callable[[str, str, str], None],
    ) -> None:
        """`before` is what an earlier agent had found of the same run; `tell` hears news for
        people: kind, reason, message.
        """
        self._tell = tell
        self.health = before
        self._container = container
        self._asker = asker
        self._bell = bell
        self._leaving = False
        self._liveness: asyncio.Task[None] | None = None
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        self._task.cancel()
        self._stop_liveness()

    def leave(self) -> None:
        """The program is on its way out: nobody asks any more whether it is alive, but readiness
        counts to the last, as with the kubelet. It is what endpoints call `serving`.
        """
        self._leaving = True
        self._stop_liveness()

    def _stop_liveness(self) -> None:
        if self._liveness is not None:
            self._liveness.cancel()

    async def _run(self) -> None:
        container = self._container
        if container.startupProbe is not None and not self.health.started:
            await self._repeat(container.startupProbe, self._start_result, eager=True)
        self.health.started = True
        if container.readinessProbe is None:
            self.health.ready = True
        self._bell.ring()
        if not self._leaving:
            alive = self._repeat(container.livenessProbe, self._live_result, eager=False)
            self._liveness = asyncio.create_task(alive)
        await self._repeat(container.readinessProbe, self._ready_result, eager=True)

    async def _repeat(
        self, probe: Probe | None, tell: Callable[[bool, str], bool], *, eager: bool
    ) -> None:
        """Look again and again until `tell` has heard enough. It hears what held long enough:
        `successThreshold` or `failureThreshold` looks in a row.
        """
        if probe is None:
            return
        # Nobody rings it: a bell is also how a task lets time pass.
        pause = Bell().heard
        if probe.initialDelaySeconds:
            await pause(float(probe.initialDelaySeconds))
        period = float(probe.periodSeconds or PERIOD)
        gap = EAGER if eager and not probe.initialDelaySeconds else period
        good = bad = 0
        while True:
            problem = await look(probe, self._container, self._asker)
            good, bad = (0, bad + (gap >= period)) if problem else (good + 1, 0)
            if good:
                gap = period
            if good >= (probe.successThreshold or 1) and tell(True, ""):
                return
            if bad >= (probe.failureThreshold or 3) and tell(False, problem):
                return
            await pause(gap)
            gap = min(gap * 2, period)

    def _start_result(self, good: bool, problem: str) -> bool:
        if not good:
            self.health.ailing = f"Startup probe failed: {problem}"
            self._bell.ring()
        return good

    def _ready_result(self, good: bool, problem: str) -> bool:
        if not good:
            self._tell("Warning", "Unhealthy", f"Readiness probe failed: {problem}")
        if self.health.ready != good:
            self.health.ready = good
            self._bell.ring()
        return False

    def _live_result(self, good: bool, problem: str) -> bool:
        if not good:
            self.health.ailing = f"Liveness probe failed: {problem}"
            self._bell.ring()
        return False
