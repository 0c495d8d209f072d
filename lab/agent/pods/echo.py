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

DEFAULT_PORT = 8080
MAX_REQUEST = 64 * 1024
"""Bytes of a request's header; a longer one ends the connection."""


class Echo:
    """The server on one port."""

    def __init__(self, port: int) -> None:
        self._pod = socket.gethostname()
        self._selector = selectors.DefaultSelector()
        self._received: dict[socket.socket, bytes] = {}
        self._tcp = socket.create_server(("", port), backlog=4096)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("", port))
        for listener in (self._tcp, self._udp):
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the process is told to end."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._tcp:
                    self._accept()
                elif key.fileobj is self._udp:
                    self._datagram()
                elif isinstance(key.fileobj, socket.socket):
                    self._request(key.fileobj)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            client, _ = self._tcp.accept()
            client.setblocking(False)
            self._received[client] = b""
            self._selector.register(client, selectors.EVENT_READ)

    def _datagram(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            data, client = self._udp.recvfrom(65535)
            self._udp.sendto(self._answer("udp", client).encode() + data, client)

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
        return f"pod {self._pod}\nclient {client[0]}:{client[1]}\nprotocol {protocol}\n"

    def _close(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._received[client]
        client.close()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Echo(int(os.environ.get("PORT", DEFAULT_PORT))).serve()
