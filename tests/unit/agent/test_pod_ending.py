"""How a program is led out: hook, stop signal, deadline."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest
from lightkube.models.core_v1 import Container, Lifecycle, LifecycleHandler

from lab.agent.pods.ending import LEAST, Ending
from lab.agent.pods.probing import Asker


def ended(hook: dict[str, Any] | None, grace: float, code: int = 0) -> tuple[list[str], float]:
    """What was done for a container with this preStop hook, and how long it has from then on."""
    handler = msgspec.convert(hook, LifecycleHandler) if hook else None
    container = Container(name="web", lifecycle=Lifecycle(preStop=handler))
    done: list[str] = []

    async def execute(argv: list[str]) -> int:
        done.append(" ".join(argv))
        if argv[0] == "stuck":
            await asyncio.Event().wait()
        return code

    async def story() -> float:
        asked = asyncio.Event()

        def ask() -> None:
            done.append("stop")
            asked.set()

        asker = Asker("127.0.0.1", "127.0.0.1", execute)
        ending = Ending(container, asker, grace, ask=ask, failed=done.append)
        await asyncio.wait_for(asked.wait(), 20)
        return ending.deadline - time.time()

    return done, asyncio.run(story())


@pytest.mark.parametrize(
    ("hook", "code", "done"),
    [
        (None, 0, ["stop"]),
        ({"sleep": {"seconds": 0}}, 0, ["stop"]),
        ({"exec": {"command": ["say", "goodbye"]}}, 0, ["say goodbye", "stop"]),
        ({"exec": {"command": ["say"]}}, 3, ["say", "command ended with code 3", "stop"]),
    ],
)
def test_the_hook_comes_before_the_signal(
    hook: dict[str, Any] | None, code: int, done: list[str]
) -> None:
    assert ended(hook, 30, code)[0] == done


def test_a_hook_has_no_longer_than_the_grace_period_and_the_program_a_little_more() -> None:
    done, left = ended({"exec": {"command": ["stuck"]}}, 0.2)
    assert done == ["stuck", "no answer in time", "stop"]
    assert 0 < left <= LEAST


def test_the_grace_period_counts_from_the_beginning_of_the_hook() -> None:
    _, left = ended({"sleep": {"seconds": 1}}, 10)
    assert left < 9.5
