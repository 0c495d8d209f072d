"""The load generator against servers that answer, refuse, hang up and say nothing."""

from __future__ import annotations

import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
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


def told(
    peer: tuple[str, int], enough: int, capsys: pytest.CaptureFixture[str], kept: int = 0
) -> list[Attempt]:
    """The first `enough` attempts, and those that came with them."""
    running = load.Load(peer, every=0.005, kept=kept)
    printed = ""
    while printed.count("\n") < enough:
        running.turn()
        printed += capsys.readouterr().out
    return attempts(printed.splitlines())


def test_answered(capsys: pytest.CaptureFixture[str]) -> None:
    with server(answers) as peer:
        seen = told(peer, 20, capsys)
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
        seen = told(peer, 5, capsys)
    assert {each.outcome for each in seen} == {outcome}


def test_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        peer = taken.getsockname()
    assert {each.outcome for each in told(peer, 3, capsys)} == {"refused"}


def test_no_way_there(capsys: pytest.CaptureFixture[str]) -> None:
    """255.255.255.255 is nobody's: connecting fails at once and sends nothing."""
    assert {each.outcome for each in told(("255.255.255.255", 9), 2, capsys)} == {"unreachable"}


def test_kept_connections_carry_one_request_after_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with server(answers) as peer:
        seen = told(peer, 60, capsys, kept=2)
    kept = [each for each in seen if each.connection != "fresh"]
    assert {each.outcome for each in seen} == {"ok"}
    assert len({each.source for each in kept}) == 2
    assert min(Counter(each.connection for each in kept).values()) > 5


def test_a_kept_connection_that_ends_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with server(answers_once) as peer:
        seen = told(peer, 40, capsys, kept=1)
    ends = [each.outcome for each in seen if each.connection == "0"]
    assert ends == ["ok", "ok", "reset"]


def test_what_is_under_way_is_told_before_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "PATIENCE", 0.05)
    with server(says_nothing) as peer:
        running = load.Load(peer, every=0.005, kept=1)
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
