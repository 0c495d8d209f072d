"""Packets nobody should send: none crashes, passes by mistake, or goes uncounted."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6ND_NS,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)

from lab.bpf.codes import Reason

from .node import (
    CLIENT,
    CLIENT_6,
    GATEWAY_6,
    NODE_6,
    POD,
    POD_6,
    REMOTE_POD,
    REMOTE_POD_6,
    ROUTER,
    ROUTER_6,
    VIP,
    VIP_6,
)
from .packets import FROM_ROUTER, PORT, arriving, datagram, ping, reply, request
from .rig import OK, REDIRECT, SHOT, Backend, Rig

SEED = 20211031
SHORTEST, SHORTEST_6 = 34, 54
"""BPF_PROG_TEST_RUN takes no frame of an IP type without room for its header."""

VALID: dict[str, Any] = {
    "tcp": request(),
    "udp": datagram(CLIENT, VIP),
    "ping": ping(CLIENT, VIP),
    "options": FROM_ROUTER
    / IP(src=CLIENT, dst=VIP, options=b"\x01" * 8)
    / TCP(sport=PORT, dport=80),
    "error": FROM_ROUTER
    / IP(src=REMOTE_POD, dst=ROUTER)
    / ICMP(type=3, code=4)
    / IP(src=ROUTER, dst=REMOTE_POD)
    / TCP(sport=PORT, dport=80),
    "reply": arriving(reply(POD, CLIENT)),
    "fragment": FROM_ROUTER
    / IP(src=CLIENT, dst=VIP, flags="MF")
    / UDP(sport=PORT, dport=53)
    / b"12345678",
}
SERVED: Any = FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6)
VALID_6: dict[str, Any] = {
    "tcp, IPv6": request(CLIENT_6, VIP_6),
    "udp, IPv6": datagram(CLIENT_6, VIP_6),
    "ping, IPv6": ping(CLIENT_6, VIP_6),
    "headers": SERVED
    / IPv6ExtHdrHopByHop()
    / IPv6ExtHdrDestOpt()
    / IPv6ExtHdrRouting()
    / TCP(sport=PORT, dport=80),
    "error, IPv6": FROM_ROUTER
    / IPv6(src=REMOTE_POD_6, dst=ROUTER_6)
    / ICMPv6PacketTooBig()
    / IPv6(src=ROUTER_6, dst=REMOTE_POD_6)
    / TCP(sport=PORT, dport=80),
    "reply, IPv6": arriving(reply(POD_6, CLIENT_6)),
    "fragment, IPv6": SERVED / IPv6ExtHdrFragment(m=1) / UDP(sport=PORT, dport=53) / b"12345678",
    "solicitation": FROM_ROUTER / IPv6(src=GATEWAY_6, dst=NODE_6) / ICMPv6ND_NS(tgt=NODE_6),
}
PROGRAMS = [
    "from_netdev",
    "to_netdev",
    "from_overlay",
    "from_host",
    "from_container",
    "to_container",
]


@pytest.mark.parametrize("name", [*VALID, *VALID_6])
def test_truncated_at_every_length(dual: Rig, name: str) -> None:
    """The header still claims the whole length, so every cut is a lie and is dropped."""
    for vip, pod in ((VIP, REMOTE_POD), (VIP_6, REMOTE_POD_6)):
        dual.service(vip, 80, [Backend(pod)])
        dual.service(vip, 53, [Backend(pod)], proto=17)
    whole, shortest = (
        (bytes(VALID[name]), SHORTEST) if name in VALID else (bytes(VALID_6[name]), SHORTEST_6)
    )
    for length in range(shortest, len(whole)):
        assert dual.run("from_netdev", whole[:length]).verdict == SHOT, f"{length} bytes"
    assert sum(dual.dropped().values()) == len(whole) - shortest
    assert set(dual.dropped()) <= {Reason.INVALID, Reason.CT_INVALID_HEADER}


@pytest.mark.parametrize("name", ["tcp", "udp", "ping"])
@pytest.mark.parametrize("version", [4, 6])
def test_too_short_for_its_header(dual: Rig, name: str, version: int) -> None:
    """An IP header that admits the cut does not make half a TCP header one."""
    dual.service(VIP, 80, [Backend(REMOTE_POD)])
    dual.service(VIP_6, 80, [Backend(REMOTE_POD_6)])
    need = {"tcp": 20, "udp": 8, "ping": 8}[name]
    for room in range(need):
        if version == 4:
            cut = VALID[name].copy()
            cut[IP].len = 20 + room
        else:
            cut = VALID_6[f"{name}, IPv6"].copy()
            cut[IPv6].plen = room
        shortest = SHORTEST if version == 4 else SHORTEST_6
        assert dual.run("from_netdev", bytes(cut)[: shortest + room]).verdict == SHOT, room
    assert dual.dropped() == {Reason.CT_INVALID_HEADER: need}


@pytest.mark.parametrize(
    ("at", "value"),
    [(14, 0x55), (14, 0x44), (14, 0x40), (16, 0x00), (16, 0xFF), (46, 0x40), (46, 0x00)],
    ids=["version", "header length", "no header", "short", "long", "tcp offset", "no tcp offset"],
)
def test_header_that_contradicts_itself_is_dropped(rig: Rig, at: int, value: int) -> None:
    rig.service(VIP, 80, [Backend(POD)])
    bad = bytearray(bytes(request()))
    if at == 16:
        struct.pack_into("!H", bad, 16, 19 if value == 0 else 0xFFFF)
    else:
        bad[at] = value
    assert rig.run("from_netdev", bytes(bad)).verdict == SHOT
    assert set(rig.dropped()) <= {Reason.INVALID, Reason.CT_INVALID_HEADER}


@pytest.mark.parametrize("program", PROGRAMS)
def test_random_damage_never_escapes(rig: Rig, program: str) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD), Backend(POD)])
    rig.service(VIP, 53, [Backend(REMOTE_POD)], proto=17)
    dice = random.Random(SEED)
    originals = [bytes(packet) for packet in VALID.values()]
    for _ in range(400):
        packet = bytearray(dice.choice(originals))
        for _ in range(dice.randrange(1, 6)):
            packet[dice.randrange(len(packet))] = dice.randrange(256)
        out = rig.run(program, bytes(packet[: dice.randrange(SHORTEST, len(packet) + 1)]))
        assert out.verdict in (OK, SHOT, REDIRECT)


def test_noise_goes_nowhere(rig: Rig) -> None:
    dice = random.Random(SEED)
    for _ in range(400):
        noise = bytes(request())[:14] + dice.randbytes(dice.randrange(20, 120))
        assert rig.run("from_netdev", noise).verdict in (OK, SHOT)
