"""ICMP errors of either family: made about a packet, and read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scapy.layers.inet import ICMP, IP, IPerror
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6PacketTooBig,
    ICMPv6TimeExceeded,
    IPerror6,
    IPv6,
)

from .family import IPV4, Family
from .noise import ones_complement
from .packets import ip


@dataclass(frozen=True)
class Kind:
    """What an error says: (type, code) of each family (RFC 792, RFC 4443)."""

    v4: tuple[int, int]
    v6: tuple[int, int]

    def of(self, family: Family) -> tuple[int, int]:
        return self.v4 if family is IPV4 else self.v6


HOST, NO_PORT = Kind((3, 1), (1, 3)), Kind((3, 3), (1, 4))
TOO_BIG, EXPIRED = Kind((3, 4), (2, 0)), Kind((11, 0), (3, 0))
MESSAGES: dict[int, Any] = {1: ICMPv6DestUnreach, 2: ICMPv6PacketTooBig, 3: ICMPv6TimeExceeded}


def error(about: Any, src: str, kind: Kind = TOO_BIG, quote: int = 8) -> Any:
    """An error about a packet, quoting its header and some bytes."""
    if IP in about:
        number, code = kind.v4
        told: Any = ICMP(type=number, code=code, nexthopmtu=1400)
        return ip(src, about[IP].src) / told / bytes(about.getlayer(IP))[: 20 + quote]
    number, code = kind.v6
    told = MESSAGES[number](code=code)
    if kind is TOO_BIG:
        told.mtu = 1400
    return ip(src, about[IPv6].src) / told / bytes(about.getlayer(IPv6))[: 40 + quote]


def said(out: Any) -> tuple[int, int]:
    """Type and code, once checksums are seen to be right: outer, ICMP, quoted header."""
    packet = out.packet[14:]
    if IP in out.frame:
        assert ones_complement(packet[:20]) == 0, "outer header"
        assert ones_complement(packet[20:]) == 0, "ICMP"
        assert ones_complement(packet[28:48]) == 0, "quoted header"
        return packet[20], packet[21]
    pseudo = packet[8:40] + (len(packet) - 40).to_bytes(4, "big") + bytes([0, 0, 0, 58])
    assert ones_complement(pseudo, packet[40:]) == 0, "ICMPv6"
    assert len(packet) == 40 + int.from_bytes(packet[4:6], "big")
    return packet[40], packet[41]


def quoted(out: Any) -> tuple[str, int, str, int]:
    inner = out.frame[IPerror if IP in out.frame else IPerror6]
    return inner.src, inner.payload.sport, inner.dst, inner.payload.dport


def mtu(out: Any) -> int:
    frame = out.frame
    return int(frame[ICMP].nexthopmtu if ICMP in frame else frame[ICMPv6PacketTooBig].mtu)
