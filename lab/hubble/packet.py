"""The headers of a captured Ethernet frame, as far as a flow needs them.

Network byte order throughout. Frames are cut at 128 bytes by the datapath and may come from
anyone, so that nothing is taken for granted: what cannot be read is left out.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from lab.hubble import codes

_PLAIN_IPV4 = Struct(">12xHB5xHxB2x4s4sHH")
"""Ethernet, IPv4 without options, the first four bytes above: what nearly every frame is."""
_ETHERTYPE = Struct(">12xH")
_IPV4 = Struct(">B5xHxB2x4s4s")
_IPV6 = Struct(">4xHBx16s16s")
_PORTS = Struct(">HH")
_U16 = Struct(">H")

ETH_HEADER = 14
ETH_IPV4, ETH_IPV6, ETH_VLAN, ETH_QINQ = 0x0800, 0x86DD, 0x8100, 0x88A8
FRAGMENT_OFFSET = 0x1FFF
_WITH_PORTS = frozenset({codes.TCP, codes.UDP, codes.SCTP})
_IPV6_EXTENSIONS = frozenset({0, 43, 60})
_IPV6_FRAGMENT = 44


class Headers(NamedTuple):
    """Addresses packed (4 or 16 bytes), ports in host byte order, 0 where there are none."""

    ip_version: int = 0
    """4, 6, or 0 when the frame carries no IP."""
    protocol: int = 0
    """IP protocol, 0 when the layer above IP cannot be read."""
    source: bytes = b""
    destination: bytes = b""
    source_port: int = 0
    destination_port: int = 0
    detail: int = 0
    """TCP: its nine flag bits. ICMP and ICMPv6: type * 256 + code. Others: 0."""


def parse(frame: bytes, start: int = 0) -> Headers:
    """Read the frame that begins at `start`."""
    if len(frame) - start >= _PLAIN_IPV4.size:
        fields = _PLAIN_IPV4.unpack_from(frame, start)
        ethertype, version, fragment, protocol, source, destination, sport, dport = fields
        if ethertype == ETH_IPV4 and version == 0x45 and not fragment & FRAGMENT_OFFSET:
            if protocol == codes.TCP and len(frame) - start >= 48:
                flags = (frame[start + 46] & 1) << 8 | frame[start + 47]
                return Headers(4, protocol, source, destination, sport, dport, flags)
            if protocol == codes.UDP:
                return Headers(4, protocol, source, destination, sport, dport)
    return _parse_any(frame, start)


def _parse_any(frame: bytes, start: int) -> Headers:
    if len(frame) - start < ETH_HEADER:
        return Headers()
    (ethertype,) = _ETHERTYPE.unpack_from(frame, start)
    at = start + ETH_HEADER
    while ethertype in (ETH_VLAN, ETH_QINQ) and len(frame) >= at + 4:
        (ethertype,) = _U16.unpack_from(frame, at + 2)
        at += 4
    if ethertype == ETH_IPV4 and len(frame) >= at + 20:
        return _parse_ipv4(frame, at)
    if ethertype == ETH_IPV6 and len(frame) >= at + 40:
        return _parse_ipv6(frame, at)
    return Headers()


def _parse_ipv4(frame: bytes, at: int) -> Headers:
    version, fragment, protocol, source, destination = _IPV4.unpack_from(frame, at)
    length = (version & 0x0F) * 4
    if version >> 4 != 4 or length < 20:
        return Headers()
    if fragment & FRAGMENT_OFFSET:
        return Headers(4, 0, source, destination)
    return _parse_l4(frame, at + length, Headers(4, protocol, source, destination))


def _parse_ipv6(frame: bytes, at: int) -> Headers:
    _, protocol, source, destination = _IPV6.unpack_from(frame, at)
    if frame[at] >> 4 != 6:
        return Headers()
    at += 40
    while protocol in _IPV6_EXTENSIONS:
        if len(frame) < at + 2:
            return Headers(6, 0, source, destination)
        protocol, at = frame[at], at + (frame[at + 1] + 1) * 8
    if protocol == _IPV6_FRAGMENT:
        if len(frame) < at + 8 or _U16.unpack_from(frame, at + 2)[0] & 0xFFF8:
            return Headers(6, 0, source, destination)
        protocol, at = frame[at], at + 8
    return _parse_l4(frame, at, Headers(6, protocol, source, destination))


def _parse_l4(frame: bytes, at: int, ip: Headers) -> Headers:
    """Fill in ports, flags or ICMP type; protocol 0 when the header is cut short."""
    left = len(frame) - at
    if ip.protocol == codes.TCP:
        if left < 14:
            return ip._replace(protocol=0)
        flags = (frame[at + 12] & 1) << 8 | frame[at + 13]
        sport, dport = _PORTS.unpack_from(frame, at)
        return ip._replace(source_port=sport, destination_port=dport, detail=flags)
    if ip.protocol in _WITH_PORTS:
        if left < 4:
            return ip._replace(protocol=0)
        sport, dport = _PORTS.unpack_from(frame, at)
        return ip._replace(source_port=sport, destination_port=dport)
    if ip.protocol in (codes.ICMP, codes.ICMPV6):
        if left < 2:
            return ip._replace(protocol=0)
        return ip._replace(detail=_U16.unpack_from(frame, at)[0])
    return ip


def ethernet(frame: bytes, start: int = 0) -> tuple[str, str] | None:
    """Source and destination MAC of the frame at `start`, as text; None when it is too short."""
    if len(frame) - start < ETH_HEADER:
        return None
    return _mac(frame[start + 6 : start + 12]), _mac(frame[start : start + 6])


def _mac(address: bytes) -> str:
    return address.hex(":")
