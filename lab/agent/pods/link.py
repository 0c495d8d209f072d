"""A pod's link: a veth pair between its namespace and the node's, addressed as Cilium does it."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from lab.agent.pods.local import PodLink
from lab.errors import CommandError
from lab.shell import probe, run


def connect(
    name: str, pid: int, address: IPv4Address, router: IPv4Address, *, mtu: int, route_mtu: int
) -> PodLink:
    """Link the network namespace of process `pid` to the node's.

    The pod has a /32: everything goes to the router's address, the node's `cilium_host`. The
    route keeps packets small enough for the tunnel, while the device takes whole frames.
    """
    limit = f" mtu {route_mtu}" if route_mtu < mtu else ""
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


def _batch(prefix: list[str], *lines: str) -> None:
    run([*prefix, "ip", "-batch", "-"], input="\n".join(lines) + "\n")


def _show(prefix: list[str], name: str) -> dict[str, Any]:
    links = run([*prefix, "ip", "-json", "link", "show", "dev", name]).json()
    if not links:
        raise CommandError(["ip", "link", "show", name], 0, "no such link")
    found: dict[str, Any] = links[0]
    return found
