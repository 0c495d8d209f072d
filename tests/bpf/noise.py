"""Random packets that are nearly right: the addresses, ports and shapes that the programs know.

Pure chance would hardly ever get past the first check, so packets are built as a sender would and
then, half of them, damaged: bits flipped, bytes replaced, the end cut off.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from ipaddress import ip_address

from .node import (
    CLIENT,
    CLIENT_6,
    GATEWAY,
    GATEWAY_MAC,
    NODE,
    NODE2,
    NODE_6,
    NODE_MAC,
    POD,
    POD2,
    POD2_6,
    POD_6,
    REMOTE_POD,
    REMOTE_POD_6,
    ROUTER,
    ROUTER2,
    ROUTER_6,
    VIP,
    VIP_6,
)
from .packets import PORT

CLUSTER_IP, LOOPBACK_SOURCE = "10.96.0.10", "169.254.42.1"
ODD = ("0.0.0.0", "127.0.0.1", "255.255.255.255", "224.0.0.5")
KNOWN = (CLIENT, VIP, NODE, ROUTER, POD, REMOTE_POD, NODE2, ROUTER2, POD2, GATEWAY, CLUSTER_IP)
ADDRESSES = [ip_address(text).packed for text in (*KNOWN, *KNOWN, LOOPBACK_SOURCE, *ODD)]
KNOWN_6 = (CLIENT_6, VIP_6, NODE_6, ROUTER_6, POD_6, POD2_6, REMOTE_POD_6)
ADDRESSES_6 = [ip_address(text).packed for text in (*KNOWN_6, *KNOWN_6, "::", "::1", "ff02::1")]
PORTS = (PORT, PORT, 80, 80, 53, 81, 0, 1, 8472, 30080, 32768, 65535)
FLAGS = (0x02, 0x10, 0x12, 0x18, 0x11, 0x04, 0x14, 0x00, 0xFF)
EXTENSIONS = (0, 43, 60, 44, 51)
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58

IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"
SHORTEST = {IPV4: 34, IPV6: 54}
"""BPF_PROG_TEST_RUN takes no frame of these types without room for their header."""


def ones_complement(*parts: bytes) -> int:
    """The sum that a checksum makes zero (RFC 1071); 2**16 is 1 modulo 65535, so a remainder."""
    return sum(int.from_bytes(p + bytes(len(p) % 2), "big") for p in parts) % 0xFFFF


def checksum(*parts: bytes) -> bytes:
    return struct.pack("!H", 0xFFFF - ones_complement(*parts))


class Noise:
    """Frames, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def frame(self, source: str = GATEWAY_MAC, destination: str = NODE_MAC) -> bytes:
        """One Ethernet frame; the addresses are strings as `02:00:00:00:00:01`."""
        dice = self._dice
        six = dice.random() < 0.25
        kind = IPV6 if six else IPV4
        packet = self._ipv6() if six else self._ipv4()
        if dice.random() < 0.02:
            kind = dice.randbytes(2)
        macs = bytes.fromhex((destination + source).replace(":", ""))
        return self._damaged(macs + kind + packet)

    def _damaged(self, frame: bytes) -> bytes:
        dice, least = self._dice, SHORTEST.get(frame[12:14], 14)
        if dice.random() < 0.5:
            return frame.ljust(least, b"\0")
        bad = bytearray(frame)
        for _ in range(dice.randrange(4)):
            at = dice.randrange(14, len(bad))
            bad[at] = dice.choice((bad[at] ^ 1 << dice.randrange(8), dice.randrange(256)))
        if dice.random() < 0.3:
            del bad[dice.randrange(least, max(len(bad), least + 1)) :]
        return bytes(bad).ljust(least, b"\0")

    def _ipv4(self, depth: int = 0) -> bytes:
        dice = self._dice
        source, destination = dice.choice(ADDRESSES), dice.choice(ADDRESSES)
        proto = dice.choices((6, 17, 1, 47, 132, 255), (50, 25, 20, 2, 2, 1))[0]
        pseudo = source + destination + struct.pack("!H", proto)
        body = self._l4(proto, pseudo, self._error4 if depth == 0 else None)
        options = dice.choice((b"", b"", b"", b"\x01" * 4, b"\x9a\x08\x00\x50" + ADDRESSES[1]))
        fragment = dice.choice((0, 0, 0, 0, 0, 0, 0x4000, 0x4000, 0x2000, dice.randrange(0x4000)))
        header = struct.pack(
            "!BBHHHBBH4s4s",
            0x45 + len(options) // 4,
            dice.randrange(256),
            20 + len(options) + len(body),
            dice.randrange(8),
            fragment,
            dice.choice((64, 64, 64, 2, 1, 0)),
            proto,
            0,
            source,
            destination,
        )
        header += options
        return header[:10] + checksum(header) + header[12:] + body

    def _ipv6(self, depth: int = 0) -> bytes:
        dice = self._dice
        source, destination = dice.choice(ADDRESSES_6), dice.choice(ADDRESSES_6)
        proto = dice.choices((6, 17, 58, 59), (50, 25, 20, 5))[0]
        pseudo = source + destination + struct.pack("!H", proto)
        body = self._l4(proto, pseudo, self._error6 if depth == 0 else None)
        following = proto
        for _ in range(dice.choice((0, 0, 0, 1, 1, 2, 5))):
            body = bytes([following, 0]) + dice.randbytes(6) + body
            following = dice.choice(EXTENSIONS)
        if dice.random() < 0.1:
            told = b"\x02\x1b\x14" + ADDRESSES_6[1] + b"\x00\x50\x00\x00"
            body, following = bytes([following]) + told + body, 60
        hops = dice.choice((64, 64, 64, 255, 2, 1, 0))
        header = struct.pack("!IHBB", 6 << 28, len(body), following, hops)
        return header + source + destination + body

    def _l4(self, proto: int, pseudo: bytes, error: Callable[[], bytes] | None) -> bytes:
        """A transport header and some data, with a right checksum."""
        dice = self._dice
        data = dice.randbytes(dice.choice((0, 1, 8, 40, 41, 300, 1400)))
        ports = struct.pack("!HH", dice.choice(PORTS), dice.choice(PORTS))
        if proto == TCP:
            head = ports + dice.randbytes(8) + bytes([0x50, dice.choice(FLAGS), 0xFF, 0xFF])
            return _summed(head, 16, b"\0\0" + data, pseudo)
        if proto == UDP:
            udp = _summed(ports + struct.pack("!H", 8 + len(data)), 6, data, pseudo)
            return udp[:6] + b"\0\0" + data if dice.random() < 0.1 else udp
        if proto in (ICMP, ICMPV6):
            if error and dice.random() < 0.6:
                return self._error(error(), proto, pseudo)
            kinds = (8, 0, 13, 5) if proto == ICMP else (128, 129, 135, 136, 143)
            head = bytes([dice.choice(kinds), 0])
            return _summed(head, 2, ports + data, pseudo if proto == ICMPV6 else b"")
        return data

    def _error(self, quoted: bytes, proto: int, pseudo: bytes) -> bytes:
        dice = self._dice
        types = (3, 11, 12) if proto == ICMP else (1, 2, 3, 4)
        head = bytes([dice.choice(types), dice.randrange(5)])
        about = struct.pack("!HH", 0, dice.choice((0, 1280, 1400)))
        quote = quoted[: dice.choice((0, 20, 28, 28, 48, 200))]
        return _summed(head, 2, about + quote, pseudo if proto == ICMPV6 else b"")

    def _error4(self) -> bytes:
        return self._ipv4(depth=1)

    def _error6(self) -> bytes:
        return self._ipv6(depth=1)


def _summed(head: bytes, at: int, rest: bytes, pseudo: bytes) -> bytes:
    """`head`, a checksum at offset `at`, `rest`; the sum covers `pseudo` and the length as well."""
    assert len(head) == at
    length = struct.pack("!H", len(head) + 2 + len(rest)) if pseudo else b""
    return head + checksum(pseudo, length, head, rest) + rest
