"""A BGP speaker that talks nonsense on purpose. A program of its own, for a node.

    python garbage.py ROUTER OWN-AS CASE

It opens a session as a well-behaved neighbor would, says one thing that is wrong in the way the
case names, and prints what became of it on one line: `notification CODE SUBCODE`, `closed`, or
`kept` when the session goes on. Messages: RFC 4271, section 4; what a router owes to nonsense:
section 6 there and RFC 7606. Standard library only: it runs in a node.
"""

from __future__ import annotations

import socket
import struct
import sys

MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4
ORIGIN, AS_PATH, NEXT_HOP = 1, 2, 3
AS_SEQUENCE = 2
TRANSITIVE = 0x40
PATIENCE = 3.0
"""Seconds of silence after which a session counts as kept."""

HOLD = 90
PREFIX = b"\x20\xac\x10\x0a\x00"
"""172.16.10.0/32 as an NLRI."""


def message(kind: int, body: bytes = b"", *, marker: bytes = MARKER) -> bytes:
    return marker + struct.pack(">HB", 19 + len(body), kind) + body


def hello(asn: int, identifier: str, version: int = 4) -> bytes:
    body = struct.pack(">BHH", version, asn, HOLD) + socket.inet_aton(identifier) + b"\0"
    return message(OPEN, body)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBB", TRANSITIVE, kind, len(value)) + value


def update(attributes: bytes, withdrawn: bytes = b"", *, claimed: int | None = None) -> bytes:
    """`claimed`: the length of the withdrawn routes as written, where it is to be a lie."""
    written = len(withdrawn) if claimed is None else claimed
    head = struct.pack(">H", written) + withdrawn + struct.pack(">H", len(attributes))
    return message(UPDATE, head + attributes + PREFIX)


def route(asn: int, source: str, origin: bytes) -> bytes:
    """An announcement of the prefix by eBGP, with two-byte AS numbers."""
    return update(
        attribute(AS_PATH, struct.pack(">BBH", AS_SEQUENCE, 1, asn))
        + attribute(NEXT_HOP, socket.inet_aton(source))
        + attribute(ORIGIN, origin)
    )


def receive(sock: socket.socket) -> tuple[int, bytes] | None:
    """The next message's kind and body; None when the peer has closed."""
    head = _exactly(sock, 19)
    if head is None:
        return None
    length, kind = struct.unpack(">HB", head[16:])
    body = _exactly(sock, length - 19)
    return None if body is None else (kind, body)


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            return None
        data += more
    return data


def outcome(sock: socket.socket) -> str:
    """What the router does next."""
    while True:
        try:
            received = receive(sock)
        except TimeoutError:
            return "kept"
        except ConnectionError:
            return "closed"
        if received is None:
            return "closed"
        kind, body = received
        if kind == NOTIFICATION:
            return f"notification {body[0]} {body[1]}"


def speak(router: str, asn: int, case: str) -> str:
    """Play one case; ValueError when there is none of that name."""
    with socket.create_connection((router, 179), timeout=PATIENCE) as sock:
        source = sock.getsockname()[0]
        if case == "marker":
            sock.sendall(message(OPEN, b"", marker=b"\0" * 16))
            return outcome(sock)
        if case == "version":
            sock.sendall(hello(asn, source, version=5))
            return outcome(sock)
        sock.sendall(hello(asn, source))
        receive(sock)
        sock.sendall(message(KEEPALIVE))
        sock.sendall(nonsense(case, asn, source))
        return outcome(sock)


def nonsense(case: str, asn: int, source: str) -> bytes:
    """What is said in an established session."""
    cases = {
        "origin": route(asn, source, origin=b"\x07"),
        "lengths": update(b"", claimed=4000),
        "type": message(9),
    }
    if case not in cases:
        raise ValueError(f"no case {case}; there are marker, version, {', '.join(cases)}")
    return cases[case]


if __name__ == "__main__":
    sys.stdout.write(speak(sys.argv[1], int(sys.argv[2]), sys.argv[3]) + "\n")
