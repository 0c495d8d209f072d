"""`bpf ipcache`, `bpf endpoint list`, `bpf tunnel list`: who is where, as text."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from lab.agent.cilium.columns import Rows
from lab.agent.cilium.text import address, host_port, mac
from lab.bpf.codes import EndpointFlag, Family
from lab.bpf.structs import endpoint_info, endpoint_key, ipcache_key, remote_endpoint_info

IpCache = Iterable[tuple[ipcache_key, remote_endpoint_info]]


def ipcache_list(entries: IpCache) -> Rows:
    """Prefixes with their identity and the node that the tunnel leads to."""
    rows = [
        (_prefix(key), _identity(value))
        for key, value in sorted(entries, key=lambda entry: _order(entry[0]))
    ]
    return [("IP PREFIX/ADDRESS", "IDENTITY"), *rows]


def ipcache_get(host: str, found: remote_endpoint_info) -> str:
    """Who is behind an address."""
    return f"{host} maps to identity {_identity(found)}"


def tunnel_list(entries: IpCache) -> Rows:
    """Pod networks of other nodes, and the nodes that tunnels to them end at."""
    rows = [
        (_prefix(key), address(value.tunnel_endpoint))
        for key, value in sorted(entries, key=lambda entry: _order(entry[0]))
        if value.tunnel_endpoint and _length(key) < _full(key)
    ]
    return [("TUNNEL", "VALUE"), *rows]


def endpoint_list(entries: Iterable[tuple[endpoint_key, endpoint_info]]) -> Rows:
    """The addresses of this node: its pods with their links, and its own."""
    rows = []
    for key, value in sorted(entries, key=lambda entry: (entry[0].family, bytes(entry[0].ip))):
        where = host_port(_ip(bytes(key.ip), key.family), 0)
        if value.flags & EndpointFlag.HOST:
            rows.append((where, "(localhost)"))
            continue
        rows.append(
            (
                where,
                f"id={value.lxc_id:<5} flags={value.flags:#06x} ifindex={value.ifindex:<3} "
                f"mac={mac(bytes(value.mac))} nodemac={mac(bytes(value.node_mac))}",
            )
        )
    return [("IP ADDRESS", "LOCAL ENDPOINT INFO"), *rows]


def _identity(value: remote_endpoint_info) -> str:
    return (
        f"identity={value.sec_label} encryptkey={value.key} "
        f"tunnelendpoint={address(value.tunnel_endpoint)}"
    )


def _prefix(key: ipcache_key) -> str:
    return f"{_ip(bytes(key.ip), key.family)}/{_length(key)}"


def _length(key: ipcache_key) -> int:
    """Bits of the address alone: the map's count has 32 in front of it."""
    return int(key.prefixlen) - 32


def _full(key: ipcache_key) -> int:
    return 32 if key.family == Family.IPV4 else 128


def _order(key: ipcache_key) -> tuple[int, bytes, int]:
    return key.family, bytes(key.ip), _length(key)


def _ip(raw: bytes, family: int) -> str:
    if family == Family.IPV4:
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    return socket.inet_ntop(socket.AF_INET6, raw)
