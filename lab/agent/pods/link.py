"""A pod's link: a veth pair between its namespace and the node's, addressed as Cilium does it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from lab.errors import CommandError
from lab.shell import probe, run

VXLAN_OVERHEAD = 50
"""Bytes: outer Ethernet 14, IPv4 20, UDP 8, VXLAN 8."""


@dataclass(frozen=True)
class PodLink:
    """The node's end of a pod's veth pair, and the hardware addresses of both."""

    name: str
    index: int
    mac: str
    """The pod's end."""
    node_mac: str
    """The node's end."""

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def connect(
    name: str, pid: int, address: IPv4Address, router: IPv4Address, *, tunnel: bool
) -> PodLink:
    """Link the network namespace of process `pid` to the node's.

    The pod has a /32: everything goes to the router's address, the node's `cilium_host`. With
    `tunnel` the route keeps packets small enough for VXLAN, while the device takes whole frames.
    """
    mtu = _mtu()
    limit = f" mtu {mtu - VXLAN_OVERHEAD}" if tunnel else ""
    _batch(
        [],
        f"link add {name} mtu {mtu} type veth peer name eth0 mtu {mtu} netns {pid}",
        f"link set {name} up",
    )
    _batch(
        ["nsenter", "-t", str(pid), "-n"],
        "link set lo up",
        f"addr add {address}/32 dev eth0",
        "link set eth0 up",
        f"route add {router} dev eth0 scope link",
        f"route add default via {router} dev eth0{limit}",
    )
    node_end = _show([], name)
    pod_end = _show(["nsenter", "-t", str(pid), "-n"], "eth0")
    return PodLink(name, node_end["ifindex"], pod_end["address"], node_end["address"])


def disconnect(name: str) -> None:
    """Remove the pair if it is there; the end of the pod's namespace removes it as well."""
    probe(["ip", "link", "delete", name])


def _mtu() -> int:
    """That of the uplink: the smallest of the node's physical legs."""
    sizes = [int((path / "mtu").read_text()) for path in Path("/sys/class/net").glob("eth*")]
    return min(sizes, default=1500)


def _batch(prefix: list[str], *lines: str) -> None:
    run([*prefix, "ip", "-batch", "-"], input="\n".join(lines) + "\n")


def _show(prefix: list[str], name: str) -> dict[str, Any]:
    links = run([*prefix, "ip", "-json", "link", "show", "dev", name]).json()
    if not links:
        raise CommandError(["ip", "link", "show", name], 0, "no such link")
    found: dict[str, Any] = links[0]
    return found


def load(file: Path) -> PodLink | None:
    """The link of a pod that an earlier agent connected."""
    return PodLink(**json.loads(file.read_text())) if file.exists() else None
