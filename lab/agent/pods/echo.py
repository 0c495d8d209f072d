"""The echo image: tells who asked and which pod answered, over HTTP and UDP on one port.

    python -m lab.agent.pods.echo            PORT from the environment, 8080 otherwise

One thread and a selector: hundreds of connections at once cost nothing. Every answer names the
client as the pod sees it, which is the point: was the source address kept on the way?
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

DEFAULT_PORT = 8080
MAX_REQUEST = 64 * 1024
"""Bytes of a request's header; a longer one ends the connection."""


class Echo:
    """The server on one port, for each address family that the kernel has."""

    def __init__(self, port: int) -> None:
        self._pod = socket.gethostname()
        self._selector = selectors.DefaultSelector()
        self._received: dict[socket.socket, bytes] = {}
        for family in _families():
            tcp = socket.create_server(("", port), family=family, backlog=4096)
            self._listen(tcp, self._accept)
            self._listen(_bound(family, port), self._datagram)

    def serve(self) -> None:
        """Until the process is told to end."""
        while True:
            for key, _ in self._selector.select():
                key.data(key.fileobj)

    def _listen(self, to: socket.socket, heard: Callable[[socket.socket], None]) -> None:
        to.setblocking(False)
        self._selector.register(to, selectors.EVENT_READ, heard)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            client, _ = listener.accept()
            self._received[client] = b""
            self._listen(client, self._request)

    def _datagram(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            data, client = listener.recvfrom(65535)
            listener.sendto(self._answer("udp", client).encode() + data, client)

    def _request(self, client: socket.socket) -> None:
        try:
            data = client.recv(65536)
            received = self._received[client] + data
            if not data or len(received) > MAX_REQUEST:
                self._close(client)
                return
            *requests, self._received[client] = received.split(b"\r\n\r\n")
            for request in requests:
                client.sendall(self._http(request, client.getpeername()))
        except (BlockingIOError, ConnectionError):
            self._close(client)

    def _http(self, request: bytes, client: tuple[str, int]) -> bytes:
        line = request.split(b"\r\n", 1)[0].decode("latin-1")
        body = self._answer("tcp", client) + f"request {line}\n"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        return (head + body).encode("latin-1")

    def _answer(self, protocol: str, client: tuple[str, int]) -> str:
        host = f"[{client[0]}]" if ":" in client[0] else client[0]
        return f"pod {self._pod}\nclient {host}:{client[1]}\nprotocol {protocol}\n"

    def _close(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._received[client]
        client.close()


def _families() -> list[socket.AddressFamily]:
    has_ipv6 = Path("/proc/net/if_inet6").exists()
    return [socket.AF_INET, *([socket.AF_INET6] if has_ipv6 else [])]


def _bound(family: socket.AddressFamily, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(("", port))
    return made


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Echo(int(os.environ.get("PORT", DEFAULT_PORT))).serve()
