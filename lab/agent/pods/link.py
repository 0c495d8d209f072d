"""A pod's link: a veth pair between its namespace and the node's, addressed as Cilium does it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lab.agent.pods.local import PodLink
from lab.bpf.layout import Address
from lab.errors import CommandError
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
    _batch(
        [],
        [
            f"link add {name} mtu {mtu} type veth peer name eth0 mtu {mtu} netns {pid}",
            *([f"link set {name} addrgenmode none"] if dual else ()),
            f"link set {name} up",
        ],
    )
    _batch(["nsenter", "-t", str(pid), "-n"], _pod_end(ways, limit, dual=dual))
    node_end = _show([], name)
    pod_end = _show(["nsenter", "-t", str(pid), "-n"], "eth0")
    return PodLink(name, node_end["ifindex"], pod_end["address"], node_end["address"])


def disconnect(name: str) -> None:
    """Remove the pair if it is there; the end of the pod's namespace removes it as well."""
    probe(["ip", "link", "delete", name])


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


def _show(prefix: list[str], name: str) -> dict[str, Any]:
    links = run([*prefix, "ip", "-json", "link", "show", "dev", name]).json()
    if not links:
        raise CommandError(["ip", "link", "show", name], 0, "no such link")
    found: dict[str, Any] = links[0]
    return found
