"""The load generator against servers that answer, refuse, hang up and say nothing."""

from __future__ import annotations

import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import pytest

from lab import shell, wait
from lab.scenario.load import program as load
from lab.scenario.load.cost import Attempt, attempts
from lab.scenario.load.loaded import PROGRAM, Load

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
Serve = Callable[[socket.socket], None]


def answers(connection: socket.socket) -> None:
    """Request by request, each answer in two pieces."""
    while request := connection.recv(4096):
        connection.sendall(ANSWER[:20])
        connection.sendall(ANSWER[20:])
        if b"close" in request:
            return


def hangs_up(connection: socket.socket) -> None:
    connection.recv(4096)


def says_half(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(ANSWER[:-1])


def says_nothing(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.recv(4096)


def answers_once(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(ANSWER)


@contextmanager
def server(serve: Serve) -> Iterator[tuple[str, int]]:
    def handle(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):  # the load does not wait for every answer
            serve(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)


def loading(peer: tuple[str, int], kept: int = 0) -> load.Load:
    return load.Load(peer, every=0.005, kept=kept)


def told(
    running: load.Load, enough: Mapping[str, int], capsys: pytest.CaptureFixture[str]
) -> list[Attempt]:
    """What is told until there are so many attempts of each connection, fresh ones together.

    A late load catches up with its fresh attempts and not with its kept ones.
    """
    wanted = Counter(enough)
    seen: list[Attempt] = []
    while Counter(each.connection for each in seen) & wanted != wanted:
        running.turn()
        seen += attempts(capsys.readouterr().out.splitlines())
    return seen


def test_answered(capsys: pytest.CaptureFixture[str]) -> None:
    with server(answers) as peer:
        seen = told(loading(peer), {"fresh": 20}, capsys)
    assert {(each.outcome, each.connection, each.lost) for each in seen} == {("ok", "fresh", 0)}
    assert len({each.source for each in seen}) == len(seen)
    assert all(each.source.startswith("127.0.0.1.") for each in seen)


@pytest.mark.parametrize(
    ("serve", "outcome"),
    [(hangs_up, "reset"), (says_half, "reset"), (says_nothing, "timeout")],
)
def test_unanswered(
    serve: Serve,
    outcome: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if outcome == "timeout":
        monkeypatch.setattr(load, "PATIENCE", 0.05)
    with server(serve) as peer:
        seen = told(loading(peer), {"fresh": 5}, capsys)
    assert {each.outcome for each in seen} == {outcome}


def test_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        peer = taken.getsockname()
    seen = told(loading(peer), {"fresh": 3}, capsys)
    assert {each.outcome for each in seen} == {"refused"}


def test_no_way_there(capsys: pytest.CaptureFixture[str]) -> None:
    """255.255.255.255 is nobody's: connecting fails at once and sends nothing."""
    seen = told(loading(("255.255.255.255", 9)), {"fresh": 2}, capsys)
    assert {each.outcome for each in seen} == {"unreachable"}


def test_kept_connections_carry_one_request_after_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with server(answers) as peer:
        seen = told(loading(peer, kept=2), {"0": 6, "1": 6}, capsys)
    kept = [each for each in seen if each.connection != "fresh"]
    assert {each.outcome for each in seen} == {"ok"}
    assert len({each.source for each in kept}) == 2
    assert any(each.connection == "fresh" for each in seen)


def test_a_kept_connection_that_ends_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with server(answers_once) as peer:
        running = loading(peer, kept=1)
        seen = told(running, {"0": 3}, capsys)
        seen += told(running, {"fresh": 20}, capsys)
    ends = [each.outcome for each in seen if each.connection == "0"]
    assert ends == ["ok", "ok", "reset"]


def test_what_is_under_way_is_told_before_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "PATIENCE", 0.05)
    with server(says_nothing) as peer:
        running = loading(peer, kept=1)
        running.turn()
        running.begin_no_more()
        while running.under_way():
            running.turn()
    seen = attempts(capsys.readouterr().out.splitlines())
    assert [each.outcome for each in seen if each.connection == "0"] == ["ok"]
    assert {each.outcome for each in seen if each.connection == "fresh"} == {"timeout"}


def test_a_load_that_is_finished_has_told_every_request_that_was_served() -> None:
    """The answers are held back until it was asked to end."""
    served, let = [], threading.Event()

    def answers_late(connection: socket.socket) -> None:
        connection.recv(4096)
        served.append(connection)
        let.wait(20)
        connection.sendall(ANSWER)

    with server(answers_late) as (host, port):
        argv = [sys.executable, "-S", str(PROGRAM), host, str(port), "--every", "0.005"]
        with shell.spawn(argv) as child:
            finished = Load("the server", [child])
            wait.until(lambda: len(served), lambda seen: seen >= 5, within=20, what="requests")
            child.terminate()
            let.set()
            finished.finish()
            assert child.wait(20) == 0
            seen = finished.attempts()
    assert len(seen) == len(served)
    assert {each.outcome for each in seen} == {"ok"}
