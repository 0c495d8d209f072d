"""Real sockets over real links: what a bench with single packets cannot show."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from socket import if_nametoindex
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from lab import shell, wait
from lab.bpf import datapath, tcx
from lab.bpf import tables as t
from lab.bpf.attach import Hook
from lab.bpf.codes import Identity, Reason
from lab.bpf.maps import PerCpuMap

from .echo import DATA, PATIENCE, asked_from, connect, echo, round_trip
from .wire import (
    LOCAL_VIP,
    LOCAL_VIP_6,
    REMOTE_VIP,
    REMOTE_VIP_6,
    Place,
    Wire,
    default_config,
    modern_config,
    serve,
)

IP_RECVERR, IPV6_RECVERR = 11, 25
"""Of linux/in.h and in6.h: errors of ICMP are queued at the socket, with who sent them."""

VIPS = pytest.mark.parametrize(
    "vip",
    [LOCAL_VIP, REMOTE_VIP, LOCAL_VIP_6, REMOTE_VIP_6],
    ids=["local", "remote", "local IPv6", "remote IPv6"],
)


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    wire = Wire()
    try:
        with echo(wire.pods[0]), echo(wire.pods[1]):
            yield wire
    finally:
        wire.close()


def offloads(wire: Wire, state: str) -> None:
    """Turn everything that a network card would do for the stack on or off, everywhere."""
    options = [word for kind in ("tx", "rx", "gso", "gro", "tso") for word in (kind, state)]

    def switch() -> None:
        for _, name in socket.if_nameindex():
            shell.probe(["ethtool", "-K", name, *options])

    for place in wire.places:
        place.run(switch)


@VIPS
@pytest.mark.parametrize("state", ["on", "off"])
def test_large_transfers_are_intact(wire: Wire, vip: str, state: str) -> None:
    offloads(wire, state)
    try:
        assert round_trip(wire.client, vip, DATA) == hashlib.sha256(DATA).hexdigest()
    finally:
        offloads(wire, "on")


@VIPS
@pytest.mark.parametrize("size", [1, 1400, 1472, 4000, 60000])
def test_datagrams_of_all_sizes(wire: Wire, vip: str, size: int) -> None:
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    asker = wire.client.run(lambda: socket.socket(family, socket.SOCK_DGRAM))
    with asker:
        asker.settimeout(PATIENCE)
        if family == socket.AF_INET:
            asker.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: fragments are allowed
        asker.sendto(DATA[:size], (vip, 7))
        answer, peer = asker.recvfrom(65536)
        assert (answer, peer[:2]) == (DATA[:size], (vip, 7))


CLIENTS_ROUTES = {"192.168.10.1": 1460, "fd00:192::1": 1440}
"""Of the client: its next hops, and the largest segments that it takes."""


@contextmanager
def narrow_leg(wire: Wire) -> Iterator[None]:
    """The router's leg to the client takes 1300 bytes. The client knows, for the wire lets
    nothing longer through, but goes on asking for long segments.
    """
    wire.router.ip("link set client mtu 1300")
    wire.client.ip(
        *(
            f"route change default via {hop} mtu 1300 advmss {most}"
            for hop, most in CLIENTS_ROUTES.items()
        )
    )
    try:
        yield
    finally:
        wire.client.ip(*(f"route change default via {hop}" for hop in CLIENTS_ROUTES))
        wire.router.ip("link set client mtu 1500")


def test_path_mtu_is_found_through_tunnel_and_translation(wire: Wire) -> None:
    """Only the router's ICMP errors tell the pods of its narrow leg."""
    with narrow_leg(wire):
        for vip in (LOCAL_VIP, REMOTE_VIP, LOCAL_VIP_6, REMOTE_VIP_6):
            assert round_trip(wire.client, vip, DATA) == hashlib.sha256(DATA).hexdigest()
        ends = ("192.168.10.11", "10.0.1.1", "fd00:192::11", "fd00:10:0:1::1")
        for pod, end in zip(wire.pods * 2, ends, strict=True):
            route = pod.run(lambda e=end: shell.run(["ip", "route", "get", e]).out)  # type: ignore[misc]
            assert "mtu 1300" in route


@pytest.mark.parametrize(
    ("pod", "offender", "kind"),
    [("10.0.2.5", "192.168.1.22", 11), ("fd00:10:0:2::5", "fd00:1::22", 3)],
)
def test_hop_behind_the_tunnel_answers(wire: Wire, pod: str, offender: str, kind: int) -> None:
    """The pod's node drops what the other one sent with its last hop, and says so to the client."""
    six = ":" in pod
    family, level = (
        (socket.AF_INET6, socket.IPPROTO_IPV6) if six else (socket.AF_INET, socket.IPPROTO_IP)
    )
    asker = wire.nodes[0].run(lambda: socket.socket(family, socket.SOCK_DGRAM))
    with asker:
        asker.settimeout(PATIENCE)
        asker.setsockopt(level, socket.IPV6_UNICAST_HOPS if six else socket.IP_TTL, 1)
        asker.setsockopt(level, IPV6_RECVERR if six else IP_RECVERR, 1)
        asker.connect((pod, 7007))
        asker.send(b"x")
        with pytest.raises(OSError, match="No route to host"):
            asker.recv(16)
        _, ancillary, _, _ = asker.recvmsg(16, 512, socket.MSG_ERRQUEUE)
    told = ancillary[0][2]
    address = told[24:40] if six else told[20:24]  # of a sockaddr_in6, of a sockaddr_in
    assert (told[5], socket.inet_ntop(family, address)) == (kind, offender)


def test_backend_in_another_nodes_namespace(wire: Wire) -> None:
    """Requests leave with this node's address, but are not its own."""
    vip, node = "172.16.10.3", wire.nodes[0]
    node.run(lambda: serve(vip, 6, "192.168.1.22", number=9))
    with echo(wire.nodes[1]):
        assert asked_from(wire.client, vip, 7, 45001) == b"hello"
        assert asked_from(node, "192.168.1.22", 7007, 45001) == b"hello"
        assert asked_from(wire.client, vip, 7, 45002) == b"hello"


def test_a_node_asks_from_the_port_that_a_client_asked_from(wire: Wire) -> None:
    """For pods both come from the router address."""
    with connect(wire.client, REMOTE_VIP) as connection:
        port = connection.getsockname()[1]
        assert asked_from(wire.nodes[0], "10.0.2.5", 7007, port) == b"hello"
        connection.sendall(b"on")
        assert connection.recv(100) == b"on"


def test_next_hop_of_the_other_family_is_found_out(wire: Wire) -> None:
    """An IPv4 route by way of an IPv6 neighbour (RFC 8950) that the node has not spoken to yet."""
    wire.router.ip("address add fd07:0:5::1/64 dev lan nodad")
    wire.nodes[0].ip(
        "address add fd07:0:5::21/64 dev eth0 nodad",
        "route add 192.168.10.0/24 via inet6 fd07:0:5::1 dev eth0",
    )
    try:
        assert round_trip(wire.client, LOCAL_VIP, b"way") == hashlib.sha256(b"way").hexdigest()
    finally:
        wire.nodes[0].ip("route del 192.168.10.0/24 via inet6 fd07:0:5::1 dev eth0")


def test_programs_are_replaced_without_losing_a_connection(wire: Wire) -> None:
    """Profiles change under open connections while new ones are made."""
    stop, failures, made = threading.Event(), list[Exception](), [0]
    opened = [connect(wire.client, vip) for vip in (LOCAL_VIP, REMOTE_VIP)]

    def load() -> None:
        while not stop.is_set():
            try:
                for vip in (LOCAL_VIP, REMOTE_VIP):
                    round_trip(wire.client, vip, b"new")
                    made[0] += 1
                for connection in opened:
                    connection.sendall(b"old")
                    assert connection.recv(3) == b"old"
            except (OSError, AssertionError) as error:
                failures.append(error)

    worker = threading.Thread(target=load, daemon=True)
    worker.start()
    for config in (modern_config, default_config, modern_config, default_config):
        wire.config = config
        for number in (1, 2):
            wire.install(number)
    stop.set()
    worker.join()
    for connection in opened:
        connection.close()
    assert (failures, made[0] > 0) == ([], True)


def test_programs_are_where_the_profiles_cilium_has_them(wire: Wire) -> None:
    """tcx since Cilium 1.16, filters of tc before that; never both, nor two of a kind."""

    def seen(side: Hook) -> tuple[int, int]:
        words = ["tc", "filter", "show", "dev", "eth0", side.name.lower()]
        filters = shell.run(words).out.count("direct-action")
        return len(tcx.attached(if_nametoindex("eth0"), side)), filters

    newer = (1, 0) if tcx.supported() else (0, 1)
    for config, wanted in ((modern_config, newer), (default_config, (0, 1))):
        wire.config = config
        for _ in range(2):
            wire.install(1)
            found = [wire.nodes[0].run(partial(seen, side)) for side in Hook]
            assert found == [wanted, wanted]


def test_frames_too_short_for_anything_do_no_harm(wire: Wire) -> None:
    raw = wire.nodes[1].run(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    with raw:
        raw.bind(("eth0", 0))
        header = bytes.fromhex("ffffffffffff0200000000160800")
        for length in range(14, 60):
            raw.send((header + b"\x45" + bytes(60))[:length])
    assert round_trip(wire.client, LOCAL_VIP, b"alive") == hashlib.sha256(b"alive").hexdigest()


def test_tunnel_is_vxlan_with_the_senders_identity(wire: Wire) -> None:
    tap = wire.nodes[1].run(
        lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(0x0800))
    )
    with tap:
        tap.bind(("eth0", 0))
        tap.settimeout(PATIENCE)
        round_trip(wire.client, REMOTE_VIP, b"x")
        frame = tap.recv(2048)
        while frame[23] != 17 or frame[36:38] != (8472).to_bytes(2, "big"):
            frame = tap.recv(2048)
    assert frame[26:34] == socket.inet_aton("192.168.1.21") + socket.inet_aton("192.168.1.22")
    assert int.from_bytes(frame[46:49], "big") == 6, "remote-node, as in Cilium 1.10"
    inner = frame[50:]
    assert inner[26:34] == socket.inet_aton("10.0.1.1") + socket.inet_aton("10.0.2.5")


def dropped(node: Place, reason: int) -> int:
    """Packets that the node's programs dropped for this reason."""

    def read() -> int:
        metrics: Any = PerCpuMap.pinned(t.METRICS)
        with metrics:
            return sum(value.count for key, value in metrics.items() if key.reason == reason)

    return node.run(read)


def test_nobody_is_this_nodes_host_from_afar(wire: Wire) -> None:
    """A node that forwards what it sent itself says remote-node; who says host is lying."""
    node, other = wire.nodes
    before = dropped(node, Reason.INVALID_IDENTITY)
    inner: Any = Ether() / IP(src="10.0.2.5", dst="10.0.1.5") / UDP(sport=9, dport=9) / b"?"
    forged = bytes(VXLAN(vni=Identity.HOST, flags=8) / inner)
    with other.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        sender.sendto(forged, ("192.168.1.21", 8472))
    wait.until(
        lambda: dropped(node, Reason.INVALID_IDENTITY),
        lambda seen: seen == before + 1,
        within=PATIENCE,
        what="a forged packet's drop",
    )


def test_a_pod_that_an_agent_takes_over_keeps_its_programs(wire: Wire) -> None:
    """A restarted agent puts its programs on all pods there are, then serves each as if new."""

    def again(number: int) -> list[int]:
        pod = if_nametoindex("lxc")
        datapath.attach_pod(wire.config(number), pod)
        return [len(tcx.attached(pod, side)) for side in Hook]

    newer = [1, 1] if tcx.supported() else [0, 0]
    for config, wanted in ((modern_config, newer), (default_config, [0, 0])):
        wire.config = config
        wire.install(1)
        assert wire.nodes[0].run(partial(again, 1)) == wanted
