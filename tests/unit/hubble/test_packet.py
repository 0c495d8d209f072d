"""Headers of captured frames: whatever stands before the ports, and wherever a frame is cut."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from lab.hubble import codes
from lab.hubble.packet import Headers, ethernet, parse

from .article import frame

FOUR, SIX = ("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")
NEEDED = {codes.TCP: 14, codes.UDP: 4, codes.SCTP: 4, codes.ICMP: 2, codes.ICMPV6: 2}
"""Bytes of a header that tell all there is to tell."""
ALL_FLAGS, PORTS = 0x1FF, (40000, 443)
HOP_BY_HOP, ROUTING, FRAGMENT, OPTIONS, NO_NEXT = 0, 43, 44, 60, 59


def made(ends: tuple[str, str], protocol: int) -> bytes:
    return frame(*ends, protocol=protocol, ports=PORTS, flags=ALL_FLAGS, icmp=(3, 4))


def told(ends: tuple[str, str], protocol: int) -> Headers:
    """What there is to say of such a frame."""
    source, destination = (ip_address(each).packed for each in ends)
    plain = Headers(6 if ":" in ends[0] else 4, protocol, source, destination)
    if protocol in (codes.ICMP, codes.ICMPV6):
        return plain._replace(detail=3 << 8 | 4)
    flags = ALL_FLAGS if protocol == codes.TCP else 0
    return plain._replace(source_port=PORTS[0], destination_port=PORTS[1], detail=flags)


def tagged(plain: bytes) -> bytes:
    """In a VLAN within a VLAN."""
    return plain[:12] + bytes.fromhex("88a8 0064 8100 0005") + plain[12:]


def with_options(plain: bytes) -> bytes:
    """IPv4 options in front of what is carried."""
    return plain[:14] + b"\x47" + plain[15:34] + bytes(8) + plain[34:]


def extended(plain: bytes, *headers: tuple[int, bytes]) -> bytes:
    """IPv6 extension headers in front of what is carried: their types and what they hold."""
    kinds = [kind for kind, _ in headers] + [plain[20]]
    chain = b"".join(
        bytes([following]) + body for following, (_, body) in zip(kinds[1:], headers, strict=True)
    )
    return plain[:20] + bytes([kinds[0]]) + plain[21:54] + chain + plain[54:]


def fragment(offset: int, more: bool = False) -> tuple[int, bytes]:
    """A fragment header: `offset` in bytes."""
    return FRAGMENT, bytes([0]) + (offset | more).to_bytes(2, "big") + bytes(4)


CHAIN = ((HOP_BY_HOP, bytes(7)), (ROUTING, b"\2" + bytes(22)), (OPTIONS, b"\1" + bytes(14)))
"""8, 24 and 16 bytes."""
BOTH = [
    *((FOUR, protocol) for protocol in (codes.TCP, codes.UDP, codes.SCTP, codes.ICMP)),
    *((SIX, protocol) for protocol in (codes.TCP, codes.UDP, codes.SCTP, codes.ICMPV6)),
]


@pytest.mark.parametrize(
    ("ends", "protocol", "dress"),
    [
        *((*each, bytes) for each in BOTH),
        *((*each, tagged) for each in BOTH),
        *((*each, with_options) for each in BOTH[:4]),
    ],
)
def test_a_frame_says_as_much_as_is_there_of_it(
    ends: tuple[str, str], protocol: int, dress: Callable[[bytes], bytes]
) -> None:
    whole, everything = dress(made(ends, protocol)), told(ends, protocol)
    assert parse(b"event" + whole, 5) == everything
    carried = whole.index(made(ends, protocol)[(34 if ends is FOUR else 54) :])
    addresses = (14 if dress is not tagged else 22) + (20 if ends is FOUR else 40)
    for length in range(len(whole)):
        wanted = everything
        if length < addresses:
            wanted = Headers()
        elif length < carried + NEEDED[protocol]:
            wanted = Headers(*everything[:4])._replace(protocol=0)
        assert parse(whole[:length]) == wanted, length


@pytest.mark.parametrize(("ends", "protocol"), BOTH[4:])
def test_ipv6_extension_headers_are_passed_over(ends: tuple[str, str], protocol: int) -> None:
    whole, everything = extended(made(ends, protocol), *CHAIN), told(ends, protocol)
    assert parse(whole) == everything
    unread = Headers(*everything[:4])._replace(protocol=0)
    for length in range(54, 54 + 48 + NEEDED[protocol]):
        assert parse(whole[:length]) == unread, length
    assert parse(whole[: 54 + 48 + NEEDED[protocol]]) == everything


@pytest.mark.parametrize("before", [(), CHAIN[:1]])
def test_only_the_first_fragment_has_ports(before: tuple[tuple[int, bytes], ...]) -> None:
    plain, everything = made(SIX, codes.UDP), told(SIX, codes.UDP)
    unread = Headers(*everything[:4])._replace(protocol=0)
    for first in (fragment(0, more=True), fragment(0)):
        whole = extended(plain, *before, first)
        assert parse(whole) == everything
        for length in range(54, len(whole) - 4):
            assert parse(whole[:length]) == unread, length
    for offset in (8, 1280, 65528):
        assert parse(extended(plain, *before, fragment(offset, more=True))) == unread
        assert parse(extended(plain, *before, fragment(offset))) == unread


def test_other_protocols_are_told_by_their_number() -> None:
    plain = made(SIX, codes.UDP)
    bare = plain[:20] + bytes([NO_NEXT]) + plain[21:]
    assert parse(bare) == Headers(*told(SIX, codes.UDP)[:4])._replace(protocol=NO_NEXT)


@pytest.mark.parametrize(
    ("ends", "first"), [(FOUR, 0x55), (FOUR, 0x65), (FOUR, 0x44), (SIX, 0x40), (SIX, 0x70)]
)
def test_what_is_no_ip_says_nothing(ends: tuple[str, str], first: int) -> None:
    """Another version than the frame's type says, or a header that is too short to be one."""
    plain = made(ends, codes.TCP)
    assert parse(plain[:14] + bytes([first]) + plain[15:]) == Headers()


def test_arp_says_nothing() -> None:
    assert parse(bytes.fromhex("ffffffffffff0a00000000010806") + bytes(60)) == Headers()


def test_ethernet_addresses_are_source_and_destination() -> None:
    whole = made(FOUR, codes.TCP)
    assert ethernet(b"event" + whole, 5) == ("0a:00:00:00:00:01", "0a:00:00:00:00:02")
    assert ethernet(whole[:14]) == ("0a:00:00:00:00:01", "0a:00:00:00:00:02")
    assert ethernet(whole[:13]) is None
    assert ethernet(b"event" + whole[:13], 5) is None
