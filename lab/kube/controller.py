"""The loop that all controllers share: changes of objects in, keys to reconcile out, no polling.

A controller is level-triggered: `reconcile` looks at what is, compares with what should be and
makes the difference; it may be called again at any time. Everything runs in the one event loop
of the server, one key at a time, so that requests are served in between.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Iterable
from typing import Any, Protocol

from lab.kube.api import Api
from lab.kube.kinds import EVENT, Resource
from lab.kube.names import now
from lab.kube.status import ApiError
from lab.kube.store import Change, Key

Object = dict[str, Any]

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


def record(
    api: Api, about: Object, reason: str, message: str, *, component: str, warning: bool = False
) -> None:
    """An Event about an object; the same one again only counts up."""
    meta = about["metadata"]
    namespace = meta.get("namespace", "default")
    same = zlib.crc32(f"{meta['uid']} {reason} {message}".encode())
    name = f"{meta['name']}.{same:08x}"
    if api.find(EVENT, (namespace, name)):
        event = api.fresh(EVENT, (namespace, name))
        event |= {"count": event.get("count", 1) + 1, "lastTimestamp": now()}
        api.update(EVENT, (namespace, name), event)
        return
    api.create(EVENT, namespace, {
        "metadata": {"name": name},
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": meta["name"],
            "namespace": namespace,
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        },
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "type": "Warning" if warning else "Normal",
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "count": 1,
        "reportingComponent": component,
        "reportingInstance": "",
    })  # fmt: skip


def owner_reference(resource: Resource, owner: Object) -> Object:
    """The reference of an object to the controller that made it."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Object) -> Object | None:
    """The owner reference that is marked as the controller, if there is one."""
    references = obj["metadata"].get("ownerReferences") or ()
    return next((r for r in references if r.get("controller")), None)


def set_condition(
    conditions: list[Object], kind: str, value: str, reason: str, message: str
) -> None:
    """Add or change a condition; its transition time moves only when its status does."""
    entry = next((c for c in conditions if c["type"] == kind), None)
    if entry is None:
        entry = {"type": kind, "status": "", "lastTransitionTime": now()}
        conditions.append(entry)
    if (entry["status"], entry.get("reason"), entry.get("message")) == (value, reason, message):
        return
    if "lastUpdateTime" in entry:
        entry["lastUpdateTime"] = now()
    if entry["status"] != value:
        entry["lastTransitionTime"] = now()
    entry |= {"status": value, "reason": reason, "message": message}
