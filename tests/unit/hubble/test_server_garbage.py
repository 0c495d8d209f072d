"""What no sound client sends: refused with words, and nobody else is hurt. A socket in use, too."""

from __future__ import annotations

import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from lab.hubble.api import observer_pb2
from lab.hubble.observer import Observer
from lab.hubble.server import ListenError, serve
from lab.hubble.service import table

from . import article
from .served import ask, feed, get_flows, running, serving

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""What an HTTP/2 client says first, and an empty SETTINGS frame (RFC 9113, 3.4 and 6.5)."""


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"first": True, "follow": True}, "first and follow exclude each other"),
        ({"whitelist": [{"source_ip": ["x"]}]}, "invalid IP address or CIDR 'x'"),
        ({"since": {"seconds": 5}, "until": {"seconds": 4}}, "until is before since"),
    ],
)
def test_bad_requests_are_refused_with_words(request_: dict[str, Any], words: str) -> None:
    with running() as (_, channel), pytest.raises(grpc.RpcError) as error:
        get_flows(channel, **request_)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in error.value.details()


def test_garbage_instead_of_a_request_hurts_nobody() -> None:
    with running() as (observer, channel):
        feed(observer, 1)
        with pytest.raises(grpc.RpcError):
            list(channel.unary_stream("/observer.Observer/GetFlows")(b"\xff\xff\xff", timeout=5))
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary("/observer.Observer/NoSuch")(b"", timeout=5)
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert len(get_flows(channel)) == 1


@pytest.mark.parametrize(
    "sent",
    [
        bytes(range(256)) * 64,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        PREFACE + b"\xff" * 4096,
        PREFACE + SETTINGS + b"\x00\x00\x08\x01\x05\x00\x00\x00\x01" + b"\xff" * 8,
        b"",
    ],
    ids=["binary", "http1", "frames", "headers", "nothing"],
)
def test_garbage_instead_of_grpc_hurts_nobody(sent: bytes) -> None:
    """On a connection of its own, which may break: the others go on."""
    with serving() as (observer, path), grpc.insecure_channel(f"unix://{path}") as channel:
        feed(observer, 1)
        follower = ask(channel, table.OBSERVER, "GetFlows")(
            observer_pb2.GetFlowsRequest(number=1, follow=True), timeout=20
        )
        next(follower)
        with socket.socket(socket.AF_UNIX) as garbage, suppress(ConnectionError):
            garbage.settimeout(20)
            garbage.connect(path)
            garbage.sendall(sent)
            garbage.shutdown(socket.SHUT_WR)
            while garbage.recv(4096):  # until the server hangs up, in whichever way
                pass
        feed(observer, 1)
        assert next(follower).flow.l4.TCP.source_port == 1000
        follower.cancel()


def test_a_dead_servers_socket_is_replaced_and_a_file_is_not() -> None:
    observer = Observer("n", article.pod_node())
    with tempfile.TemporaryDirectory(prefix="hub") as directory:
        path = Path(directory) / "h.sock"
        serve(observer, [f"unix://{path}"], metrics_port=None).stop()
        again = serve(Observer("n", article.pod_node()), [f"unix://{path}"], metrics_port=None)
        assert path.stat().st_mode & 0o777 == 0o660
        again.stop()
        path.unlink(missing_ok=True)
        path.write_text("mine")
        with pytest.raises(ListenError, match="cannot listen"):
            serve(observer, [f"unix://{path}"], metrics_port=None)
        assert path.read_text() == "mine"
