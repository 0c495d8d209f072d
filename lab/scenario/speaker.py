"""A BGP speaker that says what it is told to, and nothing else. A program of its own, for a node.

    python speaker.py ROUTER OPEN [MESSAGE...]

Messages are whole ones in hexadecimal. It dials the router until that answers, says OPEN, answers
the router's with a KEEPALIVE, and then says the other messages. It prints `up` when the router has
accepted the session, and what ends it: `notification CODE SUBCODE` or `closed`. Standard library
only: it runs in a node.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Iterator, Sequence

BGP_PORT = 179
HEADER = 19
OPEN, NOTIFICATION, KEEPALIVE = 1, 3, 4
KEEPALIVE_MESSAGE = b"\xff" * 16 + b"\x00\x13\x04"

DIAL_EVERY = 0.1
"""Seconds. A router refuses a neighbor for a second after it has closed a session with it."""


def speak(router: str, opening: bytes, messages: Sequence[bytes]) -> Iterator[str]:
    """Hold one session; yields what to print."""
    while True:
        with dial(router) as session:
            send(session, opening)
            heard = False
            for kind, body in received(session):
                heard = True
                if kind == OPEN:
                    send(session, KEEPALIVE_MESSAGE)
                elif kind == KEEPALIVE:
                    yield "up"
                    send(session, *messages)
                    messages = ()
                elif kind == NOTIFICATION:
                    yield f"notification {body[0]} {body[1]}"
                    return
            if heard:
                yield "closed"
                return
        time.sleep(DIAL_EVERY)  # noqa: TID251 - it runs in a node, without the lab


def dial(router: str) -> socket.socket:
    """A connection to the router, which listens all the time."""
    return socket.create_connection((router, BGP_PORT))


def send(session: socket.socket, *messages: bytes) -> None:
    """A router that has closed meanwhile may have said why: that is still to be read."""
    with contextlib.suppress(ConnectionError):
        session.sendall(b"".join(messages))


def received(session: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Kind and body of each message until the router closes."""
    data = b""
    while True:
        try:
            more = session.recv(4096)
        except ConnectionError:
            more = b""
        if not more:
            return
        data += more
        while len(data) >= HEADER and len(data) >= int.from_bytes(data[16:18], "big"):
            length = int.from_bytes(data[16:18], "big")
            yield data[18], data[HEADER:length]
            data = data[length:]


if __name__ == "__main__":
    for line in speak(sys.argv[1], bytes.fromhex(sys.argv[2]), [*map(bytes.fromhex, sys.argv[3:])]):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
