"""The node's default gateway, from the kernel's routing table as text."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

_GATEWAY = 0x2
"""RTF_GATEWAY of <linux/route.h>."""


def default_gateway(table: str) -> IPv4Address | None:
    """The gateway of the default route in /proc/net/route, whose numbers are little endian hex."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        default = len(fields) > 7 and fields[1] == fields[7] == "00000000"
        if default and int(fields[3], 16) & _GATEWAY:
            return IPv4Address(bytes.fromhex(fields[2])[::-1])
    return None


def default_gateway6(table: str) -> IPv6Address | None:
    """The gateway of the default route in /proc/net/ipv6_route, whose numbers are plain hex:
    destination, its length, source, its length, next hop, metric, two counts, flags, device.
    """
    for line in table.splitlines():
        fields = line.split()
        default = len(fields) > 9 and (fields[0], fields[1]) == ("0" * 32, "00")
        if default and int(fields[8], 16) & _GATEWAY:
            return IPv6Address(bytes.fromhex(fields[4]))
    return None
