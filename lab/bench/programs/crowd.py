"""`crowd ADDRESS PORT COUNT`: holds connections open, then asks on each.

Prints how many were open at the same time and how many then got an answer. Only from inside a lab.
"""

from __future__ import annotations

import resource
import selectors
import socket
import sys
import time

REQUEST = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n"
AT_A_TIME = 200
"""Connections that are being opened at once: more would overflow the listener's queue."""
PATIENCE = 20.0
"""Seconds without any progress after which no more is waited."""


def wait_for(sockets: list[socket.socket], event: int) -> list[socket.socket]:
    """Those of the sockets that become ready while some still do."""
    ready: list[socket.socket] = []
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, event)
        while selector.get_map() and (events := selector.select(PATIENCE)):
            for key, _ in events:
                selector.unregister(key.fileobj)
                ready.append(key.fileobj)  # type: ignore[arg-type]
    return ready


def opened(address: str, port: int, count: int) -> list[socket.socket]:
    found: list[socket.socket] = []
    while len(found) < count:
        part = [socket.socket() for _ in range(min(AT_A_TIME, count - len(found)))]
        for one in part:
            one.setblocking(False)
            one.connect_ex((address, port))
        ready = wait_for(part, selectors.EVENT_WRITE)
        good = [s for s in ready if not s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
        found += good
        if len(good) < len(part):
            break
    return found


def main(address: str, port: int, count: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    began = time.monotonic()
    held = opened(address, port, count)
    for one in held:
        one.send(REQUEST)
    answered = sum(one.recv(4096).startswith(b"HTTP/1.1 200") for one in wait_for(held, 1))
    seconds = time.monotonic() - began
    sys.stdout.write(f"{len(held)} {answered} {seconds:.1f}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
