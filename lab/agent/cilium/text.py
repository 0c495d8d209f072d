"""Numbers of the maps as people write them."""

from __future__ import annotations

import socket
import struct

_PROTOCOLS = {0: "ANY", 1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP"}


def address(number: int) -> str:
    """An IPv4 address in dotted form."""
    return socket.inet_ntoa(struct.pack("!I", number))


def protocol(number: int) -> str:
    return _PROTOCOLS.get(number, str(number))


def mac(raw: bytes) -> str:
    """An Ethernet address; what follows its six bytes is padding."""
    return ":".join(f"{byte:02X}" for byte in raw[:6])
