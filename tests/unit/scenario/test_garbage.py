"""The nonsense that is sent is wrong in one way only, and the router's answers are read right."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.scenario import garbage


@contextmanager
def peers() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(5)
        yield here, there


def test_open_is_a_whole_message() -> None:
    text = garbage.hello(64606, "192.168.1.25")
    assert text[:16] == b"\xff" * 16
    assert int.from_bytes(text[16:18], "big") == len(text) == 29
    assert text[18:] == bytes([1, 4]) + (64606).to_bytes(2, "big") + b"\0\x5a\xc0\xa8\x01\x19\0"


def test_lengths_lie_only_about_the_withdrawn_routes() -> None:
    text = garbage.nonsense("lengths", 64606, "192.168.1.25")
    assert int.from_bytes(text[16:18], "big") == len(text)
    assert int.from_bytes(text[19:21], "big") == 4000


def test_origin_is_the_only_wrong_attribute() -> None:
    text = garbage.nonsense("origin", 64606, "192.168.1.25")
    assert text[19:21] == b"\0\0"
    attributes = text[23 : 23 + int.from_bytes(text[21:23], "big")]
    assert attributes == (
        b"\x40\x02\x04\x02\x01\xfc\x5e" + b"\x40\x03\x04\xc0\xa8\x01\x19" + b"\x40\x01\x01\x07"
    )
    assert text.endswith(b"\x20\xac\x10\x0a\x00")


def test_notification_is_told_by_its_numbers() -> None:
    with peers() as (here, there):
        there.sendall(garbage.message(garbage.KEEPALIVE))
        there.sendall(garbage.message(garbage.NOTIFICATION, b"\x03\x01"))
        assert garbage.outcome(here) == "notification 3 1"


def test_end_and_silence_differ() -> None:
    with peers() as (here, there):
        there.close()
        assert garbage.outcome(here) == "closed"
    with peers() as (here, _):
        here.settimeout(0.01)
        assert garbage.outcome(here) == "kept"


def test_unknown_case_lists_what_there_is() -> None:
    with pytest.raises(ValueError, match="there are marker, version, origin, lengths, type"):
        garbage.nonsense("nope", 64606, "192.168.1.25")
