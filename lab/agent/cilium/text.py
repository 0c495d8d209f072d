"""Numbers of the maps as people write them."""

from __future__ import annotations

import socket
import struct
from typing import Any

from lab.bpf.layout import Layout

_PROTOCOLS = {0: "ANY", 1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP"}


def address(field: Any) -> str:
    """An address as a struct holds it: a number (IPv4) or 16 bytes."""
    if isinstance(field, int):
        return socket.inet_ntoa(struct.pack("!I", field))
    return socket.inet_ntop(socket.AF_INET6, bytes(field))


_ADDRESSES = frozenset({"daddr", "saddr", "to_addr"})


def values(entry: Layout) -> dict[str, Any]:
    """A struct's fields by their names in the map: numbers, and addresses as text."""
    return {
        field: address(getattr(entry, field)) if field in _ADDRESSES else getattr(entry, field)
        for field, *_ in entry._fields_
        if not field.startswith("pad")
    }


def with_port(field: Any, port: int) -> str:
    """An address as a struct holds it, and a port."""
    return host_port(address(field), port)


def host_port(host: str, port: int) -> str:
    """An address and a port; IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def protocol(number: int) -> str:
    return _PROTOCOLS.get(number, str(number))


def mac(raw: bytes) -> str:
    """An Ethernet address; what follows its six bytes is padding."""
    return ":".join(f"{byte:02X}" for byte in raw[:6])
