"""The node's own datagram sockets on a real cgroup, and whom a socket keeps to."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack

import pytest

from lab.bpf import sockets, stale_sockets
from lab.bpf import tables as t
from lab.bpf.codes import ServiceFlag

from .among_sockets import CLUSTER_IP, CLUSTER_IP_6, listen, mapped
from .node import CONFIG
from .rig import Backend, Rig


@pytest.mark.parametrize(
    ("family", "asked"),
    [(socket.AF_INET, CLUSTER_IP), (socket.AF_INET6, mapped(CLUSTER_IP))],
    ids=["IPv4", "both families"],
)
def test_datagrams_are_answered_by_the_service(
    node: Rig, family: socket.AddressFamily, asked: str
) -> None:
    def act() -> None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
            socket.socket(family, socket.SOCK_DGRAM) as client,
        ):
            server.bind(("127.0.0.1", 0))
            client.settimeout(2)
            backend = Backend("127.0.0.1", server.getsockname()[1])
            node.service(CLUSTER_IP, 53, [backend], proto=17, flags=0)
            client.sendto(b"question", (asked, 53))
            data, asker = server.recvfrom(100)
            server.sendto(data[::-1], asker)
            answer, peer = client.recvfrom(100)
            assert (answer, peer[:2]) == (b"noitseuq", (asked, 53))

    node.inside(act)


def test_affinity_is_the_namespaces(node: Rig) -> None:
    def act() -> None:
        servers = [listen() for _ in range(5)]
        backends = [Backend("127.0.0.1", server.getsockname()[1]) for server in servers]
        flags = ServiceFlag.AFFINITY
        node.service(CLUSTER_IP, 80, backends, flags=flags, affinity=100)
        for _ in range(10):
            with socket.socket() as client:
                client.connect((CLUSTER_IP, 80))
        peers = {key.port for key, _ in node.map(t.SOCKETS).items()}
        for server in servers:
            server.close()
        assert len(peers) == 1

    node.inside(act)


@pytest.mark.parametrize(
    ("family", "service", "local"),
    [
        (socket.AF_INET, CLUSTER_IP, "127.0.0.1"),
        (socket.AF_INET6, CLUSTER_IP, "127.0.0.1"),
        (socket.AF_INET6, CLUSTER_IP_6, "::1"),
    ],
    ids=["IPv4", "both families", "IPv6"],
)
def test_a_datagram_socket_hears_that_its_backend_is_gone(
    node: Rig, family: socket.AddressFamily, service: str, local: str
) -> None:
    """And no other one: of a backend that is there, or of nobody's choice but its own."""
    form = mapped if family == socket.AF_INET6 and "." in service else str
    gone, there = Backend(local, 1001), Backend(local, 1002)

    def act() -> list[int]:
        with ExitStack() as opened:
            clients = [
                opened.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(3)
            ]
            for client, backend in zip(clients, (gone, there), strict=False):
                node.service(service, 53, [backend], proto=17, flags=0)
                client.connect((form(service), 53))
            clients[2].connect((form(local), gone.port))
            maps = [node.map(table) for table in (t.BACKENDS, t.BACKENDS6)]
            maps[":" in local].delete(t.BackendId(node.backend(gone, 17)))
            ended = stale_sockets.end_stale(node.map(t.SOCKETS), maps)
            assert [(str(each.address), each.port) for each in ended] == [(local, gone.port)]
            return [client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for client in clients]

    assert node.inside(act) == [errno.ECONNABORTED, 0, 0]


def test_sockets_of_other_namespaces_are_left_alone(node: Rig) -> None:
    other = Rig(CONFIG)

    def act() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((CLUSTER_IP, 53))

    node.service(CLUSTER_IP, 53, [Backend("127.0.0.1", 1)], proto=17, flags=0)
    try:
        other.inside(act)
    finally:
        other.close()
    assert list(node.map(t.SOCKETS).items()) == []
    node.inside(act)
    assert [value.port for _, value in node.map(t.SOCKETS).items()] == [53]


def test_affinity_names_the_namespace_by_its_cookie(node: Rig) -> None:
    """No client's address can be taken for it."""

    def act() -> int:
        with listen() as server, socket.socket() as client:
            backend = Backend("127.0.0.1", server.getsockname()[1])
            node.service(CLUSTER_IP, 80, [backend], flags=ServiceFlag.AFFINITY, affinity=100)
            client.connect((CLUSTER_IP, 80))
        return sockets.namespace_cookie()

    cookie = node.inside(act)
    ((key, _),) = node.map(t.AFFINITY).items()
    assert (key.client, key.bits) == (cookie, 1)
