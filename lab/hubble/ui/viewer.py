"""One browser's view: its filters over the hub's flows, as what the page is told at each tick."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterator
from typing import Any

from lab.hubble.filters.compile import Context, Predicate, compile_filters
from lab.hubble.filters.message_view import MessageView
from lab.hubble.ui.filter_text import Choice, conditions
from lab.hubble.ui.hub import Hub, describe
from lab.hubble.ui.rows import row
from lab.hubble.ui.service_map import ServiceMap

ROWS = 40
"""Rows sent at one tick at most; the newest ones, with the number of those left out."""

_CONTEXT = Context(
    node_of=lambda view: view.message.node_name,
    uuid_of=lambda view: view.message.uuid,
    interface_name=lambda _index: "",
    message_of=lambda view: view.message,
)


class View:
    """What one browser sees. InputError when its filters cannot be understood."""

    def __init__(self, choice: Choice, hide: frozenset[str]) -> None:
        self._passes = predicate(choice)
        self._hide = hide
        self._map = ServiceMap()
        self._fresh: deque[MessageView] = deque(maxlen=ROWS)
        self._fresh_count = 0
        self._matched = 0
        self.has_flows = asyncio.Event()
        self._sent_map = -1
        self._sent: dict[str, str] = {}

    def take(self, view: MessageView) -> None:
        if not self._passes(view):
            return
        self._matched += 1
        self.has_flows.set()
        self._map.add(view.message)
        self._fresh.append(view)
        self._fresh_count += 1

    def tick(self, hub: Hub) -> Iterator[tuple[str, str]]:
        """What has changed since the last tick: (event, JSON)."""
        yield from self._changed("status", describe(hub.cluster, hub.rate(), hub.lost))
        if self._fresh_count or self._sent_map < 0:
            yield from self._changed("map", self._map.picture(self._hide))
            self._sent_map = self._map.version
        if self._fresh_count:
            rows = [row(view.message) for view in reversed(self._fresh)]
            skipped = self._fresh_count - len(rows)
            self._fresh.clear()
            self._fresh_count = 0
            content = {"rows": rows, "skipped": skipped, "matched": self._matched}
            yield "flows", _json({**content, "undrawn": self._map.undrawn})

    def _changed(self, event: str, content: dict[str, Any]) -> Iterator[tuple[str, str]]:
        text = _json(content)
        if self._sent.get(event) != text:
            self._sent[event] = text
            yield event, text


class Blind(View):
    """What a browser sees whose filters cannot be understood: the cluster's state, no flow."""

    def __init__(self) -> None:
        super().__init__(Choice(), frozenset())

    def take(self, _view: MessageView) -> None:
        """None of it is wanted."""


def predicate(choice: Choice) -> Predicate:
    """Whether a flow is among those that the choice asks for."""
    wanted = conditions(choice)
    parts = [
        each
        for each in (
            *(compile_filters(group, [], _CONTEXT) for group in wanted.groups),
            compile_filters([], wanted.deny, _CONTEXT),
        )
        if each is not None
    ]
    return lambda view: all(part(view) for part in parts)


def _json(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))
