"""`connections ADDRESS SECONDS [kept]`: prints HTTP requests a second.

One request on each connection, one connection at a time: what is measured is the cost of
opening and closing along the path. `kept`: many on one connection, each when the one before is
answered: what is measured is the time there and back.
"""

from __future__ import annotations

import socket
import sys
import time

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
KEPT_REQUEST = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n"
END = b"</html>\n"
"""Of nginx's welcome page."""
ENOUGH = 900
"""Requests on one connection: nginx ends it after a thousand (keepalive_requests)."""


def request(address: str) -> bool:
    """One connection from its begin to its end; whether the answer was 200."""
    with socket.create_connection((address, 80), timeout=2) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(REQUEST)
        first = answer = connection.recv(65536)
        while answer:
            answer = connection.recv(65536)
    return b" 200 " in first[:16]


def opened(address: str, seconds: float) -> float:
    """Requests a second, each on a connection of its own."""
    began = time.monotonic()
    answered = 0
    while time.monotonic() - began < seconds:
        answered += request(address)
    return answered / (time.monotonic() - began)


def kept(address: str, seconds: float) -> float:
    """Requests a second on one connection after the other; opening them is not measured."""
    answered, spent = 0, 0.0
    while spent < seconds:
        with socket.create_connection((address, 80), timeout=2) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ask(connection)
            began = time.monotonic()
            for _ in range(ENOUGH):
                ask(connection)
            spent += time.monotonic() - began
        answered += ENOUGH
    return answered / spent


def ask(connection: socket.socket) -> bytes:
    """The answer to one request: head and page may come one after the other."""
    connection.sendall(KEPT_REQUEST)
    answer = connection.recv(65536)
    while not answer.endswith(END):
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("the server ended the connection inside an answer")
        answer += part
    return answer


if __name__ == "__main__":
    measure = kept if sys.argv[3:] == ["kept"] else opened
    sys.stdout.write(f"{measure(sys.argv[1], float(sys.argv[2])):.1f}\n")
