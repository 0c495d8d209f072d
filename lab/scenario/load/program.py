"""A steady load of HTTP requests, told one line an attempt. A program of its own, for a client.

    python program.py 172.16.10.0 80 --every 0.02 --kept 10

`fresh` attempts are a connection each, started at a fixed pace whatever becomes of the others.
`kept` connections stay open and carry one request after the other at that pace divided among
them; one that ends is told and not opened again.

A line: when the attempt began (CLOCK_MONOTONIC, seconds), how long it took, `fresh` or the number
of the kept connection, the outcome (ok, refused, reset, timeout or unreachable), how many of its
segments were lost, and its own end as tcpdump writes it (192.168.10.11.40000).

SIGTERM ends it in order: nothing more is begun, and what is under way is told when it has come to
its end, after `PATIENCE` at the latest.

One thread, one epoll, and as little as possible between the two: at a thousand connections a
second what is measured has to be the lab, not the measuring. Standard library only: it runs in a
node, where nothing of the lab is imported.
"""

from __future__ import annotations

import argparse
import errno
import math
import select
import signal
import socket
import struct
import sys
import time
from collections import deque

PATIENCE = 1.0
"""Seconds after which an attempt counts as timed out."""

REQUEST = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n"
LAST_REQUEST = b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"

TCP_INFO_SIZE = 104
UNACKNOWLEDGED = 24
SENT_AGAIN = 100
"""Offsets of tcpi_unacked and tcpi_total_retrans, both u32: <linux/tcp.h>, struct tcp_info."""


class Connection:
    """One TCP connection to the service, and the attempt that is under way on it."""

    def __init__(self, peer: tuple[str, int], label: str, first_request: bytes) -> None:
        family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.label = label
        self._peer = peer
        self._request = first_request
        """What goes out once the connection is open; nothing: to be open is all that is asked."""
        self._open = False
        self._answer = b""
        self._lost = 0
        self.begun = 0.0
        """When the attempt began; 0 when none is under way."""

    def connect(self) -> str:
        """Begin the first attempt: an outcome when it has failed at once."""
        self.begun = time.monotonic()
        error = self.socket.connect_ex(self._peer)
        return outcome_of(OSError(error, "")) if error not in (0, errno.EINPROGRESS) else ""

    def ask(self) -> str:
        """Begin an attempt on the open connection: an outcome when it has failed at once."""
        self.begun = time.monotonic()
        return self._send(REQUEST)

    def progress(self) -> str:
        """Take in what the kernel has; the attempt's outcome, or nothing while it goes on."""
        if not self._open:
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                return outcome_of(OSError(error, ""))
            self._open = True
            return self._send(self._request) if self._request else "ok"
        try:
            part = self.socket.recv(65536)
        except BlockingIOError:
            return ""
        except OSError as error:
            return outcome_of(error)
        self._answer += part
        if not part:
            return "reset"
        return "ok" if is_whole(self._answer) else ""

    def end_attempt(self, outcome: str) -> str:
        """The attempt's line."""
        seconds, lost = time.monotonic() - self.begun, self._lost_segments(outcome)
        line = f"{self.begun:.6f} {seconds:.6f} {self.label} {outcome} {lost} {self._source()}\n"
        self.begun, self._answer = 0.0, b""
        return line

    def _send(self, request: bytes) -> str:
        try:
            self.socket.send(request)  # far smaller than the buffer of a socket that is idle
        except OSError as error:
            return outcome_of(error)
        return ""

    def _lost_segments(self, outcome: str) -> int:
        """Segments sent again since this was last asked, and those that nobody ever answered."""
        info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
        again: int = struct.unpack_from("=I", info, SENT_AGAIN)[0]
        pending: int = 0 if outcome == "ok" else struct.unpack_from("=I", info, UNACKNOWLEDGED)[0]
        since, self._lost = again - self._lost, again
        return since + pending

    def _source(self) -> str:
        address, port, *_ = self.socket.getsockname()
        return f"{address}.{port}"


def outcome_of(error: OSError) -> str:
    """What a failed call means for an attempt."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):
        return "reset"
    return "timeout" if isinstance(error, TimeoutError) else "unreachable"


def is_whole(answer: bytes) -> bool:
    """Whether an answer has come to its end, by its Content-Length."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return len(body) >= length


class Load:
    """All connections of one client. Delays are equal for all, so queues need no sorting."""

    def __init__(self, peer: tuple[str, int], every: float, kept: int) -> None:
        self._peer = peer
        self._every = every
        self._rest = every * kept
        self._poll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._patience: deque[tuple[float, Connection]] = deque()
        """Attempts by their beginning, some of them ended meanwhile."""
        self._resting: deque[tuple[float, Connection]] = deque()
        """Kept connections by the time of their next request."""
        for number in range(kept):
            self._begin(Connection(peer, str(number), b""))
        self._next = time.monotonic()

    def turn(self) -> None:
        """Wait for whatever comes first, then do all that is due."""
        for fd, _ in self._poll.poll(max(0.0, self._soonest() - time.monotonic())):
            connection = self._connections[fd]
            if outcome := connection.progress():
                self._end(connection, outcome)
            else:
                self._poll.modify(fd, select.EPOLLIN)
        now = time.monotonic()
        while self._next <= now:
            self._begin(Connection(self._peer, "fresh", LAST_REQUEST))
            self._next += self._every
        while self._resting and self._resting[0][0] <= now:
            self._ask(self._resting.popleft()[1])
        while self._patience and self._patience[0][0] <= now - PATIENCE:
            begun, connection = self._patience.popleft()
            if connection.begun == begun:
                self._end(connection, "timeout")
        sys.stdout.flush()

    def begin_no_more(self) -> None:
        """From now on only what is under way goes on."""
        self._next = self._rest = math.inf
        self._resting.clear()

    def under_way(self) -> bool:
        """Whether an attempt has not come to its end yet."""
        return any(connection.begun for connection in self._connections.values())

    def _soonest(self) -> float:
        """When something is due though no packet comes."""
        due = [self._next]
        if self._resting:
            due.append(self._resting[0][0])
        if self._patience:
            due.append(self._patience[0][0] + PATIENCE)
        return min(due)

    def _begin(self, connection: Connection) -> None:
        self._connections[connection.socket.fileno()] = connection
        self._watch(connection, connection.connect(), select.EPOLLOUT)

    def _ask(self, connection: Connection) -> None:
        self._watch(connection, connection.ask(), select.EPOLLIN)

    def _watch(self, connection: Connection, outcome: str, event: int) -> None:
        """Follow an attempt that has just begun."""
        self._poll.register(connection.socket.fileno(), event)
        self._patience.append((connection.begun, connection))
        if outcome:
            self._end(connection, outcome)

    def _end(self, connection: Connection, outcome: str) -> None:
        sys.stdout.write(connection.end_attempt(outcome))
        if outcome == "ok" and connection.label != "fresh":
            # While it rests nobody listens: that it was closed meanwhile, its next request tells.
            self._poll.unregister(connection.socket.fileno())
            self._resting.append((time.monotonic() + self._rest, connection))
            return
        del self._connections[connection.socket.fileno()]
        connection.socket.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--every", type=float, default=0.02, help="seconds between two attempts")
    parser.add_argument("--kept", type=int, default=0, help="connections that stay open")
    wanted = parser.parse_args()
    asked_to_end: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked_to_end.append(number))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who does not read any more has ended it
    load = Load((wanted.host, wanted.port), wanted.every, wanted.kept)
    while not asked_to_end:
        load.turn()
    load.begin_no_more()
    while load.under_way():
        load.turn()


if __name__ == "__main__":
    main()
