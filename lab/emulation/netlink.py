"""A netlink route socket that sends many requests in one write.

One request costs the kernel microseconds; a run of `ip` costs milliseconds, and a library for
all of netlink 0.4 s to import. Source: netlink(7).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from lab.emulation.messages import HEADER, Message
from lab.errors import LabError
from lab.sandbox.syscalls import Namespace, enter

_ERROR = 2
"""NLMSG_ERROR: the answer to a request, errno 0 when it was done."""


class NetlinkError(LabError):
    """The kernel refused a message; `errno` is its reason."""

    def __init__(self, what: str, errno: int) -> None:
        self.errno = errno
        super().__init__(f"{what}: {os.strerror(errno)} (errno {errno})")


class Netlink:
    """A route socket of one network namespace: the caller's, or that of a process.

    It belongs to the namespace it was opened in, wherever the caller goes afterwards.
    """

    def __init__(self, pid: int | None = None) -> None:
        self._socket = _open() if pid is None else _open_in(pid)
        self._sequence = count(1)

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, messages: Iterable[Message]) -> None:
        """Send all messages in one write; NetlinkError for the first one refused.

        The kernel works through all of them, whether or not one before was refused.
        """
        sent = {next(self._sequence): message for message in messages}
        if not sent:
            return
        self._socket.send(b"".join(m.encode(sequence) for sequence, m in sent.items()))
        refused: list[NetlinkError] = []
        while sent:
            for sequence, errno in _acknowledgements(self._socket.recv(1 << 16)):
                message = sent.pop(sequence, None)
                if message is not None and errno:
                    refused.append(NetlinkError(message.what, errno))
        if refused:
            raise refused[0]


def _open() -> socket.socket:
    opened = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    opened.bind((0, 0))
    return opened


def _open_in(pid: int) -> socket.socket:
    """A thread of its own enters the namespace of the process, opens the socket and ends there."""

    def visit() -> socket.socket:
        enter(pid, Namespace.NET)
        return _open()

    with ThreadPoolExecutor(max_workers=1) as visitor:
        return visitor.submit(visit).result()


def _acknowledgements(data: bytes) -> Iterable[tuple[int, int]]:
    """Sequence number and errno (0: done) of each answer in a datagram."""
    offset = 0
    while offset < len(data):
        length, kind, _, sequence, _ = HEADER.unpack_from(data, offset)
        if kind == _ERROR:
            (negative,) = struct.unpack_from("=i", data, offset + HEADER.size)
            yield sequence, -negative
        offset += (length + 3) & ~3
