"""The node's own sockets on a real cgroup: who they really talk to, and whom they think they do."""

from __future__ import annotations

import errno
import socket
from dataclasses import replace

import pytest

from lab.bpf import tables as t
from lab.bpf.codes import Profile, Scope, ServiceFlag, ServiceFlag2

from .among_sockets import CLUSTER_IP, CLUSTER_IP_6, among_sockets, listen, mapped
from .node import CLIENT, DUAL, NODE, NODE2, NODE_6, REMOTE_POD, VIP
from .rig import Backend, Rig

NODE_PORT = ServiceFlag.NODEPORT


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


def test_other_addresses_are_left_alone(node: Rig) -> None:
    def act() -> None:
        with listen() as server, socket.socket() as client:
            client.connect(server.getsockname())
            assert client.getpeername() == server.getsockname()

    node.inside(act)
    assert list(node.map(t.SOCKETS).items()) == []


def test_ipv6_socket_reaches_an_ipv4_service(node: Rig) -> None:
    """Sockets for both families have IPv4 addresses inside of IPv6 ones."""

    def act() -> None:
        with listen() as server, socket.socket(socket.AF_INET6) as client:
            port = server.getsockname()[1]
            node.service(CLUSTER_IP, 80, [Backend("127.0.0.1", port)], flags=0)
            client.connect((mapped(CLUSTER_IP), 80))
            assert client.getpeername()[:2] == (mapped(CLUSTER_IP), 80)

    node.inside(act)


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
