"""A program's way out as the kubelet leads it: preStop hook, stop signal, SIGKILL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from lightkube.models.core_v1 import Container, LifecycleHandler, Probe

from lab.agent.bell import Bell
from lab.agent.pods.probing import Asker, look

UNHURRIED = 0.15
"""Seconds from a pod's end to its first signal: ample to reach the maps of all nodes, so that
they send it no new connections. A real node needs about as long anyway.
"""
LEAST = 2.0
"""Seconds that a program gets after a hook that took all of the grace period."""


class Ending:
    """Runs the hook, then asks the program to end; whoever owns it kills it at the deadline."""

    def __init__(
        self,
        container: Container,
        asker: Asker,
        grace: float,
        *,
        ask: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        """`ask` sends the stop signal; `failed` hears why the hook did not do its work."""
        self.deadline = time.time() + grace
        """Unix seconds."""
        self._grace = grace
        self._ask = ask
        self._failed = failed
        lifecycle = container.lifecycle
        hook = lifecycle.preStop if lifecycle else None
        self._task = asyncio.create_task(self._run(hook, container, asker))

    def hurry(self, deadline: float) -> None:
        """End earlier than was said, if that is earlier."""
        self.deadline = min(self.deadline, deadline)

    def give_up(self) -> None:
        """The program goes on or is gone: nothing more to do for it."""
        self._task.cancel()

    async def _run(self, hook: LifecycleHandler | None, container: Container, asker: Asker) -> None:
        if hook is None:
            await Bell().heard(min(UNHURRIED, self._grace))
        else:
            problem = await carry_out(hook, container, asker, self._grace)
            if problem:
                self._failed(problem)
            self.deadline = max(self.deadline, time.time() + LEAST)
        self._ask()


async def carry_out(
    hook: LifecycleHandler, container: Container, asker: Asker, within: float
) -> str:
    """Why a hook failed, or nothing when it did its work within so many seconds."""
    if hook.sleep is not None:
        await Bell().heard(min(float(hook.sleep.seconds), within))
        return ""
    action = Probe(exec=hook.exec, httpGet=hook.httpGet, tcpSocket=hook.tcpSocket)
    return await look(action, container, asker, within=within)
