"""A pod's link: a veth pair between its namespace and the node's, addressed as Cilium does it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from socket import if_nametoindex

from lab.agent.pods.local import PodLink
from lab.bpf.layout import Address
from lab.shell import probe, run

Way = tuple[Address, Address]
"""An address of the pod and the router's of the same family."""


def connect(name: str, pid: int, ways: Sequence[Way], *, mtu: int, route_mtu: int) -> PodLink:
    """Link the network namespace of process `pid` to the node's.

    The pod has host addresses: everything goes to the router's, the node's `cilium_host`. The
    routes keep packets small enough for the tunnel, while the device takes whole frames.
    """
    limit = f" mtu {route_mtu}" if route_mtu < mtu else ""
    # Link-local addresses would only add talk: the programs answer for the one neighbour.
    dual = any(address.version == 6 for address, _ in ways)
    node_mac, pod_mac = _random_mac(), _random_mac()
    _batch(
        [],
        [
            f"link add {name} address {node_mac} mtu {mtu} type veth "
            f"peer name eth0 address {pod_mac} mtu {mtu} netns {pid}",
            *([f"link set {name} addrgenmode none"] if dual else ()),
            f"link set {name} up",
        ],
    )
    _batch(["nsenter", "-t", str(pid), "-n"], _pod_end(ways, limit, dual=dual))
    return PodLink(name, if_nametoindex(name), pod_mac, node_mac)


def disconnect(name: str) -> None:
    """Remove the pair if it is there; the end of the pod's namespace removes it as well."""
    if Path("/sys/class/net", name).exists():
        probe(["ip", "link", "delete", name])


def _random_mac() -> str:
    """An address for one end: unicast, and locally administered (IEEE 802)."""
    first, *rest = os.urandom(6)
    return bytes([first & 0xFC | 0x02, *rest]).hex(":")


def _pod_end(ways: Sequence[Way], limit: str, *, dual: bool) -> Iterator[str]:
    yield "link set lo up"
    for address, _ in ways:
        # Nobody else can have the address: no time is lost on finding out (RFC 4862, 5.4).
        known = " nodad" if address.version == 6 else ""
        yield f"addr add {address}/{address.max_prefixlen} dev eth0{known}"
    if dual:
        yield "link set eth0 addrgenmode none"
    yield "link set eth0 up"
    for _, router in ways:
        yield f"route add {router} dev eth0 scope link"
        yield f"route add default via {router} dev eth0{limit}"


def _batch(prefix: list[str], lines: Iterable[str]) -> None:
    run([*prefix, "ip", "-batch", "-"], input="\n".join(lines) + "\n")
