"""What ICMP errors quote."""

from __future__ import annotations

from typing import Any

from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import IPv6

from .noise import ones_complement
from .packets import network

WHOLE = 500
"""Bytes behind a header: more than the packets have here."""


def unreachable(about: Any, src: str, dst: str, *, length: int = 576, code: int = 4) -> Any:
    """A "destination unreachable" that quotes up to `length` bytes."""
    quote = bytes(about.getlayer(IP))[:length]
    outer: Any = IP(src=src, dst=dst)
    return outer / ICMP(type=3, code=code, nexthopmtu=1400) / quote


def quote_of(out: Any) -> bytes:
    """What an error quotes, once its own checksums are seen to be right."""
    packet = network(out.frame)
    if IPv6 in out.frame:
        pseudo = packet[8:40] + (len(packet) - 40).to_bytes(4, "big") + bytes([0, 0, 0, 58])
        assert ones_complement(pseudo, packet[40:]) == 0, "ICMPv6 checksum"
        return packet[48:]
    assert ones_complement(packet[:20]) == 0, "outer header's checksum"
    assert ones_complement(packet[20:]) == 0, "ICMP checksum"
    return packet[28:]


def ended(quote: bytes) -> bytes:
    """A quote but for what changes on the way to its end: hops, and the checksum over them."""
    return quote[8:] if quote[0] >> 4 == 6 else quote[12:]
