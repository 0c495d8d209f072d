"""Mirrors of API objects over a server that comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from lightkube.exceptions import ApiError
from lightkube.models.meta_v1 import Status
from lightkube.resources.core_v1 import Service

from lab.agent import watch
from lab.agent.watch import Mirror
from tests.unit.agent.objects import service

Step = Callable[[], Any]


class Listing:
    def __init__(self, found: list[Service]) -> None:
        self._found = found
        self.resourceVersion = "7"

    async def __aiter__(self) -> AsyncIterator[Service]:
        for each in self._found:
            yield each


class Server:
    """Answers lists and watches from a script; when it is at its end, watches last for ever."""

    def __init__(self, *script: Any) -> None:
        self._script = list(script)

    def list(self, *_: Any, **__: Any) -> Listing:
        step = self._script.pop(0)
        if isinstance(step, Exception):
            raise step
        return Listing(step)

    async def watch(self, *_: Any, **__: Any) -> AsyncIterator[tuple[str, Service]]:
        events = self._script.pop(0) if self._script else None
        if isinstance(events, Exception):
            raise events
        for event in events or ():
            yield event
        if events is None:
            await asyncio.Event().wait()


def refused(code: int) -> ApiError:
    return ApiError(status=Status(code=code, message=f"answer {code}"))


GONE = httpx2.ConnectError("refused")


def mirror(*script: Any) -> tuple[list[str], Mirror[Service]]:
    """What a mirror told, and the mirror, when it has played the script and is at rest."""
    told: list[str] = []
    server = Server(*script)

    async def run() -> Mirror[Service]:
        made: Mirror[Service] = Mirror(server, Service, told.append)  # type: ignore[arg-type]
        task = asyncio.create_task(made.run())
        while server._script:
            await asyncio.wait({task}, timeout=0.01)
        await asyncio.wait({task}, timeout=0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return made

    return told, asyncio.run(run())


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FIRST_RETRY", 0.001)
    monkeypatch.setattr(watch, "UNKNOWN_RETRY", 0.001)


A, B = service("a"), service("b")


def test_a_list_then_changes() -> None:
    told, made = mirror([A], [("ADDED", B), ("MODIFIED", A), ("DELETED", A)], [B])

    assert told == ["default/a", "default/b", "default/a", "default/a"]
    assert list(made.objects) == ["default/b"]
    assert made.complete


def test_an_empty_list_is_complete_and_said_so() -> None:
    told, made = mirror([])

    assert told == [""]
    assert made.complete


def test_without_the_server_everything_stays_as_it_is() -> None:
    told, made = mirror([A], GONE, GONE, GONE, [A])

    assert told == ["default/a"]
    assert list(made.objects) == ["default/a"]


def test_a_mirror_that_never_reached_the_server_proves_nothing() -> None:
    _, made = mirror(GONE, GONE)
    assert not made.complete


def test_what_went_while_the_server_was_away_is_noticed() -> None:
    told, made = mirror([A, B], GONE, [B])

    assert told == ["default/a", "default/b", "default/a"]
    assert list(made.objects) == ["default/b"]


def test_a_version_that_the_server_has_forgotten_means_a_new_list() -> None:
    told, made = mirror([A], refused(410), [A, B])

    assert told == ["default/a", "default/b"]
    assert len(made.objects) == 2


def test_a_kind_that_the_server_does_not_know_has_no_objects() -> None:
    told, made = mirror(refused(404), refused(404), [A])

    assert told == ["", "default/a"]
    assert made.complete
