"""The echo image, over the loopback interface."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from lab.agent.pods.echo import Echo


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    server = Echo(number)
    threading.Thread(target=server.serve, daemon=True).start()
    yield number


def ask(port: int, *pieces: bytes) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        for piece in pieces:
            line.sendall(piece)
        answer = b""
        while b"request " not in answer or not answer.endswith(b"\n"):
            answer += line.recv(65536)
        mine = line.getsockname()
    text = answer.decode()
    assert f"client {mine[0]}:{mine[1]}" in text
    return text


def test_http_tells_the_client_and_the_pod(port: int) -> None:
    text = ask(port, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")

    head, body = text.split("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK")
    assert f"Content-Length: {len(body)}" in head
    assert body.splitlines()[0] == f"pod {socket.gethostname()}"
    assert body.splitlines()[-1] == "request GET /x HTTP/1.1"


def test_a_request_in_pieces_is_one_request(port: int) -> None:
    assert ask(port, b"GET / HT", b"TP/1.1\r\n\r", b"\n").count("HTTP/1.1 200 OK") == 1


def test_a_datagram_comes_back_with_its_sender(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(5)
        line.connect(("127.0.0.1", port))
        line.send(b"ping")
        answer = line.recv(65536).decode()
        mine = line.getsockname()
    assert answer.splitlines()[1:] == [f"client {mine[0]}:{mine[1]}", "protocol udp", "ping"]


def test_a_header_without_end_ends_the_connection(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"x" * 70_000)
        with contextlib.suppress(ConnectionResetError):
            assert line.recv(1) == b""
