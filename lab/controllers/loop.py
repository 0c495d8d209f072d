"""The loop that all controllers share: changes of objects in, keys to reconcile out, no polling.

A controller is level-triggered: `reconcile` looks at what is, compares with what should be and
makes the difference; it may be called again at any time. Everything runs in the one event loop
of the server, one key at a time, so that requests are served in between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from lab.kube.api import Api
from lab.kube.status import ApiError
from lab.kube.store import Change, Key

log = logging.getLogger(__name__)

FIRST_RETRY = 0.05
LONGEST_RETRY = 10.0
"""Seconds; a refused write is tried again with doubled delays."""


class Controller(Protocol):
    """Turns changes into keys, and keys into the wanted state."""

    def affected(self, change: Change) -> Iterable[Key]:
        """Keys that a change makes worth another look."""
        ...

    def existing(self) -> Iterable[Key]:
        """Keys to look at when the server starts."""
        ...

    def reconcile(self, key: Key) -> float | None:
        """Make things right; returns seconds until another look is due, or None."""
        ...


class Queue:
    """The keys of one controller that wait for their turn, each at most once."""

    def __init__(self, controller: Controller, loop: asyncio.AbstractEventLoop) -> None:
        self._controller = controller
        self._loop = loop
        self._waiting: dict[Key, None] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._retry: dict[Key, float] = {}

    def start(self) -> None:
        for key in self._controller.existing():
            self.add(key)

    def observe(self, change: Change) -> None:
        """A listener of the store."""
        for key in self._controller.affected(change):
            self.add(key)

    def add(self, key: Key) -> None:
        if not self._waiting:
            self._loop.call_soon(self._turn)
        self._waiting[key] = None

    def _turn(self) -> None:
        key = next(iter(self._waiting))
        del self._waiting[key]
        if self._waiting:
            self._loop.call_soon(self._turn)
        timer = self._timers.pop(key, None)
        if timer:
            timer.cancel()
        try:
            again = self._controller.reconcile(key)
        except ApiError as error:
            again = min(self._retry.get(key, FIRST_RETRY / 2) * 2, LONGEST_RETRY)
            self._retry[key] = again
            log.info("%s %s: %s; again in %.2f s", self._controller, key, error, again)
        else:
            self._retry.pop(key, None)
        if again is not None:
            self._timers[key] = self._loop.call_later(again, self.add, key)


def run(api: Api, controllers: Iterable[Controller]) -> None:
    """Start controllers in the running event loop; they live as long as it does."""
    loop = asyncio.get_running_loop()
    queues = [Queue(controller, loop) for controller in controllers]
    for queue in queues:
        api.store.listen(queue.observe)
        queue.start()
