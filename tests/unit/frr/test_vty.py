"""The conversation with a daemon, against one that plays the daemon's part."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from lab.errors import FrrError
from lab.frr.vty import Vty

ANSWERS = {
    b"show version": b"FRR 8.4.4\n\0\0\0\0",
    b"show json": b'{"a": [1, 2]}\0\0\0\0',
    b"show text": b"no json\0\0\0\0",
    b"nonsense": b"% Unknown command: nonsense\n\0\0\0\2",
    b"warned": b"% careful\n\0\0\0\1",
}


@contextmanager
def daemon(directory: Path, *, piece: int = 1 << 16) -> Iterator[list[bytes]]:
    """A bgpd that knows a few commands, and sends its answers in pieces of so many bytes."""
    heard: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / "bgpd.vty"))
    listener.listen()

    def serve() -> None:
        with listener.accept()[0] as conversation:
            waiting = b""
            while received := conversation.recv(4096):
                *commands, waiting = (waiting + received).split(b"\0")
                for command in commands:
                    heard.append(command)
                    answer = ANSWERS.get(command, b"\0\0\0\0")
                    for start in range(0, len(answer), piece):
                        conversation.sendall(answer[start : start + piece])

    server = Thread(target=serve)
    server.start()
    try:
        yield heard
    finally:
        server.join(timeout=10)
        listener.close()


@pytest.mark.parametrize("piece", [1, 3, 1 << 16])
def test_output_arrives_whole_however_it_is_cut(tmp_path: Path, piece: int) -> None:
    with daemon(tmp_path, piece=piece) as heard, Vty("bgpd", tmp_path) as vty:
        assert vty.run("show version") == "FRR 8.4.4\n"
        assert vty.json("show json") == {"a": [1, 2]}
        assert vty.run("warned") == "% careful\n"
    assert heard == [b"enable", b"show version", b"show json", b"warned"]


def test_configuration_is_entered_and_left(tmp_path: Path) -> None:
    with daemon(tmp_path) as heard, Vty("bgpd", tmp_path) as vty:
        vty.configure(["router bgp 1", "exit"])
    assert heard[1:] == [b"configure terminal", b"router bgp 1", b"exit", b"end"]


def test_the_first_refused_command_is_named_and_the_conversation_goes_on(tmp_path: Path) -> None:
    with daemon(tmp_path), Vty("bgpd", tmp_path) as vty:
        with pytest.raises(FrrError, match="bgpd refuses `nonsense`\n  % Unknown command"):
            vty.configure(["show version", "nonsense", "show json"])
        assert vty.run("show version") == "FRR 8.4.4\n"


def test_text_where_json_was_asked_for_is_an_error(tmp_path: Path) -> None:
    with (
        daemon(tmp_path),
        Vty("bgpd", tmp_path) as vty,
        pytest.raises(FrrError, match="gave no JSON: no json"),
    ):
        vty.json("show text")


def test_a_daemon_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FrrError, match="bfdd does not answer"):
        Vty("bfdd", tmp_path)
