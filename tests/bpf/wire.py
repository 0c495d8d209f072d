"""Two nodes, a router, a client and pods, wired by veth, with the datapath installed for real.

    client --- router === wire === node1 --- pod1
                               === node2 --- pod2

Every place is a thread with its own network and mount namespaces; nothing is left when it ends.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import count
from pathlib import Path
from socket import if_nametoindex
from typing import Any, TypeVar

from lab import shell
from lab.agent.services.families import FAMILIES
from lab.bpf import datapath
from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import EndpointFlag, Identity, Profile, ServiceFlag
from lab.bpf.config import DualStack, NodeConfig
from lab.bpf.layout import mac, packed
from lab.bpf.maps import Map

T = TypeVar("T")

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC_PRIVATE = 0x4000 | 1 << 18

LOCAL_VIP, REMOTE_VIP = "172.16.10.1", "172.16.10.2"
LOCAL_VIP_6, REMOTE_VIP_6 = "fd00:172::1", "fd00:172::2"
"""All are reached through node1; the pods are on node1 and node2."""


class Place:
    """A machine of the test: what runs in it sees only its own interfaces."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self.id = self.run(self._enter)

    def run(self, act: Callable[[], T]) -> T:
        return self._thread.submit(act).result()

    def ip(self, *lines: str) -> None:
        """Commands for `ip -batch`."""
        self.run(lambda: shell.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n"))

    def set(self, name: str, value: str) -> None:
        """A kernel setting below /proc/sys/net."""
        self.run(lambda: Path("/proc/sys/net", name).write_text(value))

    def close(self) -> None:
        self._thread.shutdown()

    def _enter(self) -> int:
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.unshare(CLONE_NEWNS | CLONE_NEWNET)
        failed |= libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None)
        failed |= libc.mount(b"bpf", b"/sys/fs/bpf", b"bpf", 0, None)
        if failed:
            raise OSError(ctypes.get_errno(), "a place of its own")
        shell.run(["ip", "link", "set", "lo", "up"])
        return threading.get_native_id()


class Wire:
    """The whole of it. `node_config` is what both nodes share."""

    def __init__(self, node_config: Callable[[int], NodeConfig] | None = None) -> None:
        self.config = node_config or default_config
        self.places = [Place() for _ in range(6)]
        self.client, self.router, *others = self.places
        self.nodes, self.pods = others[:2], others[2:]
        self._cable()
        for number in (1, 2):
            self.install(number)
            self.nodes[number - 1].run(lambda n=number: fill(n))  # type: ignore[misc]

    def close(self) -> None:
        for place in self.places:
            place.close()

    def install(self, number: int) -> None:
        """Load and attach a node's programs, for the first time or in place of others."""
        self.nodes[number - 1].run(lambda: datapath.install(self.config(number)))

    def _cable(self) -> None:
        client, router = self.client, self.router
        router.ip(
            "link add lan type bridge",
            "link set lan up",
            "address add 192.168.1.1/24 dev lan",
            f"link add client up type veth peer name eth0 netns {client.id}",
            "address add 192.168.10.1/24 dev client",
            "route add 172.16.10.0/24 via 192.168.1.21",
            "address add fd00:1::1/64 dev lan nodad",
            "address add fd00:192::1/64 dev client nodad",
            "route add fd00:172::/64 via fd00:1::21",
        )
        router.set("ipv4/ip_forward", "1")
        router.set("ipv6/conf/all/forwarding", "1")
        client.ip(
            "link set eth0 up",
            "address add 192.168.10.11/24 dev eth0",
            "route add default via 192.168.10.1",
            "address add fd00:192::11/64 dev eth0 nodad",
            "route add default via fd00:192::1",
        )
        for number, node in enumerate(self.nodes, 1):
            router.ip(
                f"link add node{number} type veth peer name eth0 netns {node.id}",
                f"link set node{number} master lan up",
            )
            self._cable_node(number)

    def _cable_node(self, number: int) -> None:
        node, pod = self.nodes[number - 1], self.pods[number - 1]
        gateway, gateway6 = f"10.0.{number}.1", f"fd00:10:0:{number}::1"
        node.ip(
            "link set eth0 up",
            f"address add 192.168.1.2{number}/24 dev eth0",
            "route add default via 192.168.1.1",
            f"address add fd00:1::2{number}/64 dev eth0 nodad",
            "route add default via fd00:1::1",
            f"link add lxc address {_mac(number, 1)} mtu 1450 type veth"
            f" peer name eth0 address {_mac(number, 2)} mtu 1450 netns {pod.id}",
            "link set lxc up",
        )
        pod.ip(
            "link set eth0 up",
            f"address add 10.0.{number}.5/32 dev eth0",
            f"route add {gateway} dev eth0",
            f"route add default via {gateway}",
            f"address add fd00:10:0:{number}::5/128 dev eth0 nodad",
            f"route add {gateway6} dev eth0",
            f"route add default via {gateway6}",
        )


def default_config(number: int) -> NodeConfig:
    return NodeConfig(
        node_ip=IPv4Address(f"192.168.1.2{number}"),
        router_ip=IPv4Address(f"10.0.{number}.1"),
        pod_cidr=IPv4Network(f"10.0.{number}.0/24"),
        cluster_cidr=IPv4Network("10.0.0.0/16"),
        ipv6=DualStack(
            node_ip=IPv6Address(f"fd00:1::2{number}"),
            router_ip=IPv6Address(f"fd00:10:0:{number}::1"),
            pod_cidr=IPv6Network(f"fd00:10:0:{number}::/64"),
            cluster_cidr=IPv6Network("fd00:10::/48"),
        ),
    )


def modern_config(number: int) -> NodeConfig:
    return replace(default_config(number), profile=Profile.MODERN)


NODES = {"10.0.{}.": "192.168.1.2{}", "fd00:10:0:{}::": "fd00:1::2{}"}
"""How pods' addresses begin, and nodes' own of the same family."""


def _mac(number: int, end: int) -> str:
    return f"0a:00:00:00:0{number}:0{end}"


def fill(number: int) -> None:
    """Enter the cluster into the maps of the node that this thread is."""
    endpoints: Map[Any, Any] = Map.pinned(t.ENDPOINTS)
    index = if_nametoindex("lxc")
    ends = [mac(*bytes.fromhex(_mac(number, end).replace(":", ""))) for end in (2, 1)]
    pod = s.endpoint_info(ifindex=index, lxc_id=number, mac=ends[0], node_mac=ends[1], sec_id=1000)
    for prefix in ("10.0.{}.", "fd00:10:0:{}::"):
        endpoints.update(s.endpoint_key.of(ip_address(prefix.format(number) + "5")), pod)
        for address in (prefix.format(number) + "1", NODES[prefix].format(number)):
            info = s.endpoint_info(flags=EndpointFlag.HOST)
            endpoints.update(s.endpoint_key.of(ip_address(address)), info)
        for peer in (1, 2):
            node = f"192.168.1.2{peer}" if peer != number else None
            label = Identity.REMOTE_NODE if node else Identity.HOST
            identify(prefix.format(peer) + "5", 1000, node)
            identify(prefix.format(peer) + "1", label, node)
    endpoints.close()
    identify("0.0.0.0/0", Identity.WORLD)
    identify("::/0", Identity.WORLD)
    datapath.attach_pod(default_config(number), index)
    ids = count(1)
    for peer, vips in enumerate(((LOCAL_VIP, LOCAL_VIP_6), (REMOTE_VIP, REMOTE_VIP_6)), 1):
        for proto in (6, 17):
            serve(vips[0], proto, f"10.0.{peer}.5", number=next(ids))
            serve(vips[1], proto, f"fd00:10:0:{peer}::5", number=next(ids))


def identify(network: str, label: int, node: str | None = None) -> None:
    table: Map[Any, Any] = Map.pinned(t.IPCACHE)
    endpoint = int(IPv4Address(node)) if node else 0
    value = s.remote_endpoint_info(sec_label=label, tunnel_endpoint=endpoint)
    table.update(s.ipcache_key.of(ip_network(network)), value)
    table.close()


def serve(vip: str, proto: int, backend: str, *, number: int) -> None:
    """A service on port 7 with one backend on port 7007."""
    family = FAMILIES[ip_address(vip).version]
    value = family.backends.value(address=packed(ip_address(backend)), port=7007, proto=proto)
    key = {"address": packed(ip_address(vip)), "dport": 7, "proto": proto}
    flags = ServiceFlag.LOADBALANCER | ServiceFlag.ROUTABLE
    slot = s.lb4_service(backend_id=number, rev_nat_index=number)
    reverse = family.reverse_nat.value(address=packed(ip_address(vip)), port=7)
    frontend = s.lb4_service(count=1, rev_nat_index=number, flags=flags)
    for table, entry in (
        (family.backends, (t.BackendId(number), value)),
        (family.services, (family.services.key(**key, backend_slot=1), slot)),
        (family.reverse_nat, (t.RevNatId(number), reverse)),
        (family.services, (family.services.key(**key), frontend)),
    ):
        opened: Map[Any, Any] = Map.pinned(table)
        opened.update(*entry)
        opened.close()
