"""Paths as `bare_path` has them, with a service in front of the pod: by our programs, by nftables,
by iptables. And the same over a tunnel, the pod being on a second node.

Each path has namespaces of its own. The service that is measured is the last of as many as are
asked for, which is what a list that is searched from its top makes worst.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator

from lab.bench.paths.bare_path import POD

REMOTE_POD = "10.0.2.2"
MACS = {
    1: ("0a:00:00:00:01:01", "0a:00:00:00:01:02"),
    2: ("0a:00:00:00:02:01", "0a:00:00:00:02:02"),
}
"""Of the node's and the pod's end of the pod's veth, by the node's number."""

TO_SERVICES = "ip -n router route add 172.16.0.0/12 via 192.168.1.21"


def ours(count: int) -> list[str]:
    """Our programs on the node, with that many services in their maps."""
    return [TO_SERVICES, *_known_macs("node", "pod", 1), _install("node", 1, count)]


def nftables(count: int) -> list[str]:
    """Our path with netfilter's translation in place of the programs: nft's rules."""
    return [TO_SERVICES, _fed("nft -f -", "nftables", count)]


def iptables(count: int) -> list[str]:
    """The same with iptables."""
    return [TO_SERVICES, _fed("iptables-restore", "iptables", count)]


def bare_tunnel() -> list[str]:
    """A second node with a pod, behind VXLAN with one fixed far end, and no program."""
    return [
        *_second_node(),
        "ip -n router route add 10.0.2.0/24 via 192.168.1.21",
        *(
            f"ip -n {name} link add vx0 type vxlan id 1 dev eth0 dstport 4789 remote {far}"
            f" && ip -n {name} link set vx0 mtu 1450 up"
            f" && ip -n {name} address add 10.255.0.{number}/30 dev vx0"
            for name, number, far in (("node", 1, "192.168.1.22"), ("node2", 2, "192.168.1.21"))
        ),
        "ip -n node route add 10.0.2.0/24 via 10.255.0.2",
        "ip -n node2 route add 192.168.10.0/24 via 10.255.0.1",
    ]


def our_tunnel() -> list[str]:
    """The same with our programs on both nodes: the service's only pod is on the second."""
    return [
        *_second_node(),
        TO_SERVICES,
        *_known_macs("node", "pod", 1),
        *_known_macs("node2", "pod2", 2),
        _install("node", 1, 1, REMOTE_POD),
        _install("node2", 2, 1, REMOTE_POD),
    ]


def _second_node() -> Iterator[str]:
    for name in ("node2", "pod2"):
        yield f"ip netns add {name}"
        yield f"ip -n {name} link set lo up"
    yield "ip link add p9 type veth peer name eth0 netns node2"
    yield "ip link set p9 master nodes up"
    yield "ip -n node2 address add 192.168.1.22/24 dev eth0"
    yield "ip -n node2 link set eth0 up"
    yield "ip -n node2 link add lxc0 mtu 1450 type veth peer name eth0 mtu 1450 netns pod2"
    yield "ip -n node2 address add 10.0.2.1/32 dev lxc0"
    yield "ip -n node2 link set lxc0 up"
    yield f"ip -n pod2 address add {REMOTE_POD}/32 dev eth0"
    yield "ip -n pod2 link set eth0 up"
    yield "ip -n pod2 route add 10.0.2.1 dev eth0"
    yield "ip -n pod2 route add default via 10.0.2.1"
    yield f"ip -n node2 route add {REMOTE_POD}/32 dev lxc0"
    yield "ip -n node2 route add default via 192.168.1.1"
    yield "ip netns exec node2 sysctl -qw net.ipv4.ip_forward=1"


def _known_macs(node: str, pod: str, number: int) -> Iterator[str]:
    here, there = MACS[number]
    yield f"ip -n {node} link set lxc0 address {here}"
    yield f"ip -n {pod} link set eth0 address {there}"


def _install(namespace: str, number: int, count: int, pod: str = POD) -> str:
    words = [sys.executable, "-m", "lab.bench.programs.on_node", str(number), str(count), pod]
    return f"ip netns exec {namespace} {shlex.join(words)}"


def _fed(command: str, kind: str, count: int) -> str:
    words = [sys.executable, "-m", "lab.bench.programs.netfilter_rules", kind, str(count)]
    return f"{shlex.join(words)} | ip netns exec node {command}"
