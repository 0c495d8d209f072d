"""The node's own sockets on a real cgroup: who they really talk to, and whom they think they do."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lab.bpf import sockets, stale_sockets
from lab.bpf import tables as t
from lab.bpf.codes import Profile, Scope, ServiceFlag, ServiceFlag2
from lab.bpf.config import NodeConfig

from .node import CLIENT, CONFIG, DUAL, NODE, NODE2, NODE_6, REMOTE_POD, VIP
from .rig import Backend, Rig

CLUSTER_IP, CLUSTER_IP_6 = "10.96.0.10", "fd00:96::10"
NODE_PORT = ServiceFlag.NODEPORT


def cgroup_root() -> Path | None:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(folder)
    return None


@contextmanager
def among_sockets(config: NodeConfig) -> Iterator[Rig]:
    """A rig with socket programs, and the test's process in their cgroup."""
    root = cgroup_root()
    if root is None:
        pytest.skip("no cgroup v2 is mounted")
    home, folder = sockets.own_cgroup() or root, root / f"lab-test-{os.getpid()}"
    folder.mkdir()
    try:
        rig = Rig(config, cgroup=folder)
        (folder / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield rig
        finally:
            (home / "cgroup.procs").write_text(str(os.getpid()))
            rig.close()
    finally:
        folder.rmdir()


@pytest.fixture
def node() -> Iterator[Rig]:
    with among_sockets(DUAL) as rig:
        yield rig


@pytest.fixture
def modern_node() -> Iterator[Rig]:
    with among_sockets(replace(DUAL, profile=Profile.MODERN)) as rig:
        yield rig


def listen(family: int = socket.AF_INET) -> socket.socket:
    server = socket.socket(family, socket.SOCK_STREAM)
    server.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    server.listen()
    return server


def test_connect_reaches_the_backend_and_names_the_service(node: Rig) -> None:
    def act() -> None:
        with listen() as server, socket.socket() as client:
            port = server.getsockname()[1]
            node.service(CLUSTER_IP, 80, [Backend("127.0.0.1", port)], flags=0)
            client.connect((CLUSTER_IP, 80))
            accepted, address = server.accept()
            accepted.close()
            assert address[0] == "127.0.0.1"
            assert client.getpeername() == (CLUSTER_IP, 80)

    node.inside(act)


@pytest.mark.parametrize("asked", ["127.0.0.1", "127.8.8.8", NODE, NODE2])
def test_a_node_port_is_at_loopback_and_at_every_nodes_address(node: Rig, asked: str) -> None:
    def act() -> None:
        with listen() as server, socket.socket() as client:
            port = server.getsockname()[1]
            node.service("0.0.0.0", 30080, [Backend("127.0.0.1", port)], flags=NODE_PORT)
            client.connect((asked, 30080))
            server.accept()[0].close()
            assert client.getpeername() == (asked, 30080)

    node.inside(act)


@pytest.mark.parametrize(("asked", "frontend"), [(NODE2, "0.0.0.0"), (VIP, VIP)])
def test_whoever_is_inside_gets_a_backend_for_the_inside(
    node: Rig, asked: str, frontend: str
) -> None:
    """The node's sockets are inside; a service that keeps outsiders on their node has two sets."""

    def act() -> None:
        with listen() as server, socket.socket() as client:
            inside = Backend("127.0.0.1", server.getsockname()[1])
            kept = ServiceFlag2.TWO_SCOPES
            node.service(frontend, 30080, [Backend(REMOTE_POD)], flags=NODE_PORT, flags2=kept)
            node.service(
                frontend, 30080, [inside], flags=NODE_PORT, flags2=kept, scope=Scope.INTERNAL
            )
            client.settimeout(5)
            client.connect((asked, 30080))
            server.accept()[0].close()

    node.inside(act)


@pytest.mark.parametrize("asked", ["::1", NODE_6])
def test_a_node_port_over_ipv6(node: Rig, asked: str) -> None:
    def act() -> None:
        with listen(socket.AF_INET6) as server, socket.socket(socket.AF_INET6) as client:
            port = server.getsockname()[1]
            node.service("::", 30080, [Backend("::1", port)], flags=NODE_PORT)
            client.connect((asked, 30080))
            assert client.getpeername()[:2] == (asked, 30080)

    node.inside(act)


@pytest.mark.parametrize("asked", [REMOTE_POD, CLIENT])
def test_a_node_port_is_at_nobody_elses_address(node: Rig, asked: str) -> None:
    def act() -> None:
        node.service("0.0.0.0", 30053, [Backend("127.0.0.1", 1)], proto=17, flags=NODE_PORT)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((asked, 30053))

    node.inside(act)
    assert list(node.map(t.SOCKETS).items()) == []


def test_connect_over_ipv6(node: Rig) -> None:
    def act() -> None:
        with listen(socket.AF_INET6) as server, socket.socket(socket.AF_INET6) as client:
            port = server.getsockname()[1]
            node.service(CLUSTER_IP_6, 80, [Backend("::1", port)], flags=0)
            client.connect((CLUSTER_IP_6, 80))
            assert client.getpeername()[:2] == (CLUSTER_IP_6, 80)

    node.inside(act)


def mapped(address: str) -> str:
    """An IPv4 address as sockets for both families have it."""
    return f"::ffff:{address}"


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


def test_other_addresses_are_left_alone(node: Rig) -> None:
    def act() -> None:
        with listen() as server, socket.socket() as client:
            client.connect(server.getsockname())
            assert client.getpeername() == server.getsockname()

    node.inside(act)
    assert list(node.map(t.SOCKETS).items()) == []


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


def test_ipv6_socket_reaches_an_ipv4_service(node: Rig) -> None:
    """Sockets for both families have IPv4 addresses inside of IPv6 ones."""

    def act() -> None:
        with listen() as server, socket.socket(socket.AF_INET6) as client:
            port = server.getsockname()[1]
            node.service(CLUSTER_IP, 80, [Backend("127.0.0.1", port)], flags=0)
            client.connect((mapped(CLUSTER_IP), 80))
            assert client.getpeername()[:2] == (mapped(CLUSTER_IP), 80)

    node.inside(act)


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


ASKED = [
    (socket.AF_INET, "0.0.0.0", NODE2),
    (socket.AF_INET, VIP, VIP),
    (socket.AF_INET6, VIP, mapped(VIP)),
    (socket.AF_INET6, CLUSTER_IP_6, CLUSTER_IP_6),
]
"""Kind of a socket, a service's address, and the address that is asked for it."""


@pytest.mark.parametrize(("family", "frontend", "asked"), ASKED)
def test_without_backends_a_call_fails_at_once_in_modern(
    modern_node: Rig, family: socket.AddressFamily, frontend: str, asked: str
) -> None:
    """Its packets would go to another node, which may have a backend: not what a service means that
    keeps to backends of its own node.
    """
    flags = NODE_PORT if frontend == "0.0.0.0" else ServiceFlag.ROUTABLE

    def act(kind: socket.SocketKind, proto: int) -> int:
        modern_node.service(frontend, 80, [], proto=proto, flags=flags)
        with socket.socket(family, kind) as client, pytest.raises(OSError) as failed:
            client.setblocking(False)
            client.sendto(b"?", (asked, 80)) if proto == 17 else client.connect((asked, 80))
        return failed.value.errno or 0

    assert modern_node.inside(lambda: act(socket.SOCK_STREAM, 6)) == errno.EHOSTUNREACH
    assert modern_node.inside(lambda: act(socket.SOCK_DGRAM, 17)) == errno.EHOSTUNREACH


@pytest.mark.parametrize("profile", list(Profile))
def test_what_no_service_lists_leaves_the_node(profile: Profile) -> None:
    """An unlisted port in any profile; and in 1.10 a service without backends is no service."""
    with among_sockets(replace(DUAL, profile=profile)) as node:
        node.service(VIP, 0, [], proto=0, flags=ServiceFlag.ROUTABLE)
        if profile is Profile.CILIUM_1_10:
            node.service(VIP, 80, [], proto=17, flags=ServiceFlag.ROUTABLE)

        def act() -> int:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                return client.sendto(b"?", (VIP, 80))

        assert node.inside(act) == 1
