"""Each message is wrong in one way only, and the program that says them reads answers right."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from threading import Thread
from unittest.mock import patch

import pytest

from lab.scenario import speaker
from lab.scenario.nonsense import Speaker

ASN = 64606
NODE = Speaker(IPv4Address("192.168.1.25"), ASN)
PREFIXES = list(IPv4Network("172.16.10.96/27").subnets(new_prefix=32))
HEAD = b"\xff" * 16


def message(kind: int, body: bytes = b"") -> bytes:
    return HEAD + (19 + len(body)).to_bytes(2, "big") + bytes([kind]) + body


def test_a_faultless_opening() -> None:
    identifier = IPv4Address("192.168.1.25").packed
    assert NODE.opening() == message(
        1, b"\x04" + ASN.to_bytes(2, "big") + b"\0\x5a" + identifier + b"\0"
    )


def test_a_faultless_route() -> None:
    attributes = bytes.fromhex("40010100 40020402 01fc5e 400304c0a80119")
    assert NODE.route(PREFIXES[5]) == message(
        2, b"\0\0" + len(attributes).to_bytes(2, "big") + attributes + b"\x20\xac\x10\x0a\x65"
    )


def test_a_fatal_mistake_is_in_no_length_unless_it_is_about_that() -> None:
    for mistake in NODE.fatal():
        said = mistake.messages[0] if mistake.messages else mistake.opening
        right = said[:16] == HEAD and int.from_bytes(said[16:18], "big") == len(said)
        assert right != (mistake.answer in ("1 1", "1 2")), mistake.words


def test_a_mild_mistake_is_about_its_route() -> None:
    """Lengths are right, so that the route can be read behind whatever is wrong."""
    for mistake in NODE.mild(PREFIXES):
        said = mistake.message
        assert int.from_bytes(said[16:18], "big") == len(said), mistake.words
        end = 23 + int.from_bytes(said[21:23], "big")
        assert said[end:] == b"\x20" + mistake.prefix.network_address.packed, mistake.words
        assert said != mistake.route


def heard(*answers: bytes, opening: bytes = b"open", messages: tuple[bytes, ...] = ()) -> list[str]:
    """What the program prints when the router answers so and closes."""
    router, node = socket.socketpair()

    def answer() -> None:
        with router:
            router.recv(4096)
            for each in answers:
                router.sendall(each)
                if each[18:19] == b"\x04":
                    router.recv(4096)

    thread = Thread(target=answer)
    thread.start()
    with patch.object(speaker, "dial", return_value=node):
        lines = list(speaker.speak("192.0.2.1", opening, messages))
    thread.join()
    return lines


@pytest.fixture(autouse=True)
def _no_pause() -> Iterator[None]:
    with patch.object(speaker, "DIAL_EVERY", 0.0):
        yield


def test_a_notification_is_told_by_its_numbers() -> None:
    assert heard(message(1), message(3, b"\x02\x06")) == ["notification 2 6"]


def test_a_session_comes_up_and_hears_the_messages() -> None:
    assert heard(message(4), message(3, b"\x03\x01"), messages=(b"one", b"two")) == [
        "up",
        "notification 3 1",
    ]


def test_an_end_without_a_word_is_told() -> None:
    assert heard(message(1)) == ["closed"]


def test_messages_arrive_whole_however_they_are_cut() -> None:
    whole = message(3, b"\x02\x01")
    assert heard(whole[:5], whole[5:20], whole[20:]) == ["notification 2 1"]
