"""What holds for every packet that a program lets go on, whatever came in.

A right checksum stays right and a wrong one stays as wrong as it was: the sum over what a checksum
covers, the checksum included, is the same before and after a translation. So nothing here depends
on whether the packet was a good one.
"""

from __future__ import annotations

from ipaddress import ip_address

from .noise import ICMP, ICMPV6, IPV4, IPV6, TCP, UDP, ones_complement
from .rig import OK, REDIRECT, SHOT
from .running import Outcome

ETHERNET = 14
CHECK_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}
EXTENSION_HEADERS = (0, 43, 44, 60)


def verify(sent: bytes, out: Outcome, services: set[tuple[bytes, int]]) -> None:
    """AssertionError when a program did something to `sent` that no program may do.

    `services`: addresses and ports that have backends, as they are in headers.
    """
    assert out.verdict in (OK, SHOT, REDIRECT), f"verdict {out.verdict}"
    if out.verdict == SHOT or sent[12:14] not in (IPV4, IPV6):
        return
    if out.packet[12:14] == sent[12:14] and answers(sent, out.packet):
        assert out.verdict == REDIRECT, "an answer goes out"
        assert ones_complement(*covered(out.packet)) == 0, "checksum of an answer"
        return
    assert out.packet[12:14] == sent[12:14], "another family"
    before, after = Parsed(sent), Parsed(out.packet)
    assert after.hops in (before.hops, before.hops - 1), f"{before.hops} hops became {after.hops}"
    assert before.header_sum == after.header_sum, "header checksum"
    if before.check is not None:
        assert before.sum == after.sum, "transport checksum"
    if out.verdict == REDIRECT:
        assert after.hops > 0, "sent on without a hop left"
        place = (after.destination, after.port)
        assert place not in services, f"a service's address on the wire: {place}"


def answers(sent: bytes, got: bytes) -> bool:
    """Is `got` an ICMP error that quotes `sent`?"""
    if sent[12:14] == IPV4:
        return got[23] == ICMP and got[42:62] == sent[14:34] and got[34] in (3, 11)
    return got[20] == ICMPV6 and got[62:102] == sent[14:54] and got[54] in (1, 2, 3)


def covered(frame: bytes) -> tuple[bytes, ...]:
    """What the checksum of an ICMP answer covers."""
    if frame[12:14] == IPV4:
        return (frame[34:],)
    return frame[22:54], bytes([ICMPV6]).rjust(2, b"\0"), frame[18:20], frame[54:]


class Parsed:
    """A frame as its headers say; `check` is None where no checksum covers the addresses."""

    def __init__(self, frame: bytes) -> None:
        if frame[12:14] == IPV4:
            self._ipv4(frame[ETHERNET:])
        else:
            self._ipv6(frame[ETHERNET:])

    def _ipv4(self, packet: bytes) -> None:
        size, length = packet[0] % 16 * 4, int.from_bytes(packet[2:4], "big")
        self.hops, self.destination = packet[8], packet[16:20]
        self.header_sum = ones_complement(packet[:size])
        first = not int.from_bytes(packet[6:8], "big") & 0x1FFF
        pseudo = b"" if packet[9] == ICMP else packet[12:20]
        self._transport(packet[9] if first else 255, packet[size:length], pseudo)

    def _ipv6(self, packet: bytes) -> None:
        self.hops, self.destination, self.header_sum = packet[7], packet[24:40], 0
        proto, at, first = packet[6], 40, True
        for _ in range(6):
            if proto not in EXTENSION_HEADERS or at + 8 > len(packet):
                break
            fragment = proto == 44
            first &= not (fragment and int.from_bytes(packet[at + 2 : at + 4], "big") & 0xFFF8)
            proto, at = packet[at], at + 8 + (0 if fragment else packet[at + 1] * 8)
        end = 40 + int.from_bytes(packet[4:6], "big")
        if end == 40:
            end = len(packet)
        self._transport(proto if first else 255, packet[at:end], packet[8:40])

    def _transport(self, proto: int, body: bytes, pseudo: bytes) -> None:
        at = CHECK_AT.get(proto)
        self.port = int.from_bytes(body[2:4], "big") if proto in (TCP, UDP) else 0
        self.check = None if at is None or len(body) < at + 2 else body[at : at + 2]
        if proto == UDP and self.check == b"\0\0":
            self.check = None
        self.sum = ones_complement(pseudo, body)


def place(address: str, port: int) -> tuple[bytes, int]:
    return ip_address(address).packed, port
