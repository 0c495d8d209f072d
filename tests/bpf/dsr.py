"""Direct server return on the wire: how the ingress node tells the backend's the service."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt

from .node import VIP, VIP_6


def option(address: str, port: int) -> bytes:
    """In IPv4: type, length, the service's port and address, in network order."""
    return bytes([0x9A, 8]) + port.to_bytes(2, "big") + IPv4Address(address).packed


def behind(address: str, port: int) -> bytes:
    """In IPv6, the header behind its first byte, the next header: its length in 8 bytes without the
    first, the option's type and length, the service's address and port, padding.
    """
    service = IPv6Address(address).packed + port.to_bytes(2, "big")
    return bytes([2, 0x1B, 20]) + service + bytes(2)


OPTION, TOLD = option(VIP, 80), behind(VIP_6, 80)


def told(next_header: int, told: bytes = TOLD) -> Any:
    return IPv6ExtHdrDestOpt(bytes([next_header]) + told)


def telling(src: str, dst: str, proto: int, port: int = 80) -> Any:
    """The header of a packet of `proto` that was sent to this port of the tests' service, and that
    the ingress node sent on to a backend.
    """
    if ":" in dst:
        return IPv6(src=src, dst=dst) / told(proto, behind(VIP_6, port))
    return IP(src=src, dst=dst, options=option(VIP, port))
