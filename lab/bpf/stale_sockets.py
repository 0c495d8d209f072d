"""UDP sockets of the node that talk to a backend which is gone. connect() chose it, no packet is
balanced again, and nobody would ever tell: so they are ended, and whoever holds one hears of it and
connects anew. Cilium does so since 1.14 (cilium/cilium#25169). TCP finds out by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from lab import shell
from lab.bpf.layout import Address, wide
from lab.bpf.maps import Map
from lab.bpf.structs import lb4_backend, lb6_backend, nat_target, socket_peer

UDP = 17
SS = ("ss", "--no-header", "--udp", "--numeric")
_LINE = re.compile(
    r"\d+ +\d+ +(?P<own>\S+) +(?P<peer>\[?(?P<address>[^]\s]+?)\]?:(?P<port>\d+)) "
    r".*\bsk:(?P<cookie>[0-9a-f]+)"
)
_DEVICE = re.compile(r"%[^]:]+")
"""What an address is bound to: ss tells it, but cannot read it in a filter."""


@dataclass(frozen=True)
class Connected:
    """A UDP socket with a fixed peer; `own` and `peer` are its ends as ss(8) reads them."""

    cookie: int
    own: str
    peer: str
    address: Address
    port: int


def end_stale(
    asked: Map[socket_peer, nat_target], backends: Iterable[Map[Any, Any]]
) -> list[Connected]:
    """End those of this network namespace that were balanced (`asked`) to what is no backend any
    more, in any of the maps of `backends`; which ones they were: none where the kernel cannot
    (CONFIG_INET_DIAG_DESTROY). CommandError when ss(8) fails.
    """
    if not asked.raw_items():  # most nodes ask nothing, and need not run ss at each change
        return []
    listed = shell.run([*SS, "--extended", "state", "established"]).out
    balanced = [each for each in connected(listed) if asked.lookup(_key(each))]
    if not balanced:
        return []
    there = {(_address(b), b.port) for each in backends for _, b in each.items() if b.proto == UDP}
    stale = (each for each in balanced if (each.address, each.port) not in there)
    return [each for each in stale if _end(each)]


def connected(listed: str) -> Iterator[Connected]:
    """The sockets in a listing of ss(8). An IPv4 address inside of an IPv6 one counts as it is."""
    for found in map(_LINE.match, listed.splitlines()):
        if found:
            address, own = ip_address(found["address"]), _DEVICE.sub("", found["own"])
            inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
            cookie, port = int(found["cookie"], 16), int(found["port"])
            yield Connected(cookie, own, found["peer"], inner or address, port)


def _end(which: Connected) -> bool:
    """ss tells what it ended."""
    return bool(shell.run([*SS, "--kill", "src", which.own, "dst", which.peer]).out)


def _address(of: lb4_backend | lb6_backend) -> Address:
    if isinstance(of, lb4_backend):
        return IPv4Address(of.address)
    return IPv6Address(bytes(of.address))


def _key(of: Connected) -> socket_peer:
    return socket_peer(cookie=of.cookie, address=wide(of.address), port=of.port)
