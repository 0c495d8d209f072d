"""The PID 1 of a pod, without namespaces: which orders start a program."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from lab.agent.pods import init
from lab.agent.pods.container import Launch

WORDS: dict[str, Any] = {
    "argv": ["true"], "env": {}, "cwd": "/", "log": "/dev/null", "mounts": [], "scratch": []
}  # fmt: skip


def order(attempt: int) -> dict[str, Any]:
    return {"do": "start", "name": "web", "attempt": attempt, "launch": WORDS}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Launch]:
    """What was launched, in order; the n-th launch has the process id 1000 + n."""
    launches: list[Launch] = []

    def launch(words: Launch, output: int) -> int:
        launches.append(words)
        return 1000 + len(launches)

    monkeypatch.setattr(init, "launch", launch)
    return launches


def test_an_attempt_asked_for_twice_is_started_once(started: list[Launch]) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        pod = init.PodInit(listener)
        pod._obey(order(0))
        pod._obey(order(0))
    assert len(started) == 1
    assert pod.containers["web"]["pid"] == 1001


def test_the_next_attempt_is_started(started: list[Launch]) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        pod = init.PodInit(listener)
        pod._obey(order(0))
        pod._obey(order(1))
    assert len(started) == 2
    assert pod.containers["web"]["attempt"] == 1
