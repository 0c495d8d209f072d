"""Echo servers on port 7007 of a place, and clients that ask them by a service's port 7."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .wire import Place

PATIENCE = 20.0
"""Seconds that a socket waits before a test fails; nothing takes that long."""

DATA = os.urandom(4 << 20)


def answer(connection: socket.socket) -> None:
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)


def accept(server: socket.socket) -> None:
    """Until the socket is closed."""
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


def reflect(datagrams: socket.socket) -> None:
    """Until the socket is closed."""
    with suppress(OSError):
        while True:
            data, peer = datagrams.recvfrom(65536)
            datagrams.sendto(data, peer)


@contextmanager
def echo(pod: Place) -> Iterator[None]:
    """An echo server for TCP and UDP on port 7007 of a pod."""
    server = pod.run(_server)
    datagrams = pod.run(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    with server, datagrams:
        datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        datagrams.bind(("::", 7007))
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        threading.Thread(target=reflect, args=(datagrams,), daemon=True).start()
        yield


def _server() -> socket.socket:
    return socket.create_server(
        ("::", 7007), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100
    )


def connect(client: Place, vip: str) -> socket.socket:
    return client.run(lambda: socket.create_connection((vip, 7), timeout=PATIENCE))


def round_trip(client: Place, vip: str, data: bytes) -> str:
    """Send and receive at once; the digest of what came back."""
    digest = hashlib.sha256()
    with connect(client, vip) as connection:
        sender = threading.Thread(target=connection.sendall, args=(data,), daemon=True)
        sender.start()
        left = len(data)
        while left and (part := connection.recv(min(left, 65536))):
            digest.update(part)
            left -= len(part)
        sender.join()
    return digest.hexdigest()


def asked_from(place: Place, address: str, port: int, own_port: int) -> bytes:
    """What the echo at an address sends back to a connection from a port of our choice."""

    def ask() -> bytes:
        with socket.create_connection((address, port), PATIENCE, ("", own_port)) as connection:
            connection.sendall(b"hello")
            return connection.recv(100)

    return place.run(ask)
