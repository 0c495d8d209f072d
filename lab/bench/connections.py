"""`python -m lab.bench.connections ADDRESS SECONDS`: prints HTTP requests a second.

One request on each connection, one connection at a time: what is measured is the cost of
opening and closing along the path.
"""

from __future__ import annotations

import socket
import sys
import time

REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def request(address: str) -> bool:
    """One connection from its begin to its end; whether the answer was 200."""
    with socket.create_connection((address, 80), timeout=2) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(REQUEST)
        first = answer = connection.recv(65536)
        while answer:
            answer = connection.recv(65536)
    return b" 200 " in first[:16]


def main(address: str, seconds: float) -> None:
    began = time.monotonic()
    answered = 0
    while time.monotonic() - began < seconds:
        answered += request(address)
    sys.stdout.write(f"{answered / (time.monotonic() - began):.1f}\n")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
