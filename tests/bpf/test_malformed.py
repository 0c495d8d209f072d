"""Packets nobody should send: none crashes, passes by mistake, or goes uncounted."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP

from lab.bpf.codes import Reason

from .node import CLIENT, POD, REMOTE_POD, ROUTER, VIP
from .packets import FROM_ROUTER, PORT, arriving, datagram, ping, reply, request
from .rig import OK, REDIRECT, SHOT, Backend, Rig

SEED = 20211031
SHORTEST = 34
"""BPF_PROG_TEST_RUN takes no frame of type IPv4 without room for an IPv4 header."""

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
PROGRAMS = [
    "from_netdev",
    "to_netdev",
    "from_overlay",
    "from_host",
    "from_container",
    "to_container",
]


@pytest.mark.parametrize("name", VALID)
def test_truncated_at_every_length(rig: Rig, name: str) -> None:
    """The header still claims the whole length, so every cut is a lie and is dropped."""
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.service(VIP, 53, [Backend(REMOTE_POD)], proto=17)
    whole = bytes(VALID[name])
    for length in range(SHORTEST, len(whole)):
        assert rig.run("from_netdev", whole[:length]).verdict == SHOT, f"{length} bytes"
    assert sum(rig.dropped().values()) == len(whole) - SHORTEST
    assert set(rig.dropped()) <= {Reason.INVALID, Reason.CT_INVALID_HEADER}


@pytest.mark.parametrize("name", ["tcp", "udp", "ping"])
def test_too_short_for_its_header(rig: Rig, name: str) -> None:
    """An IP header that admits the cut does not make half a TCP header one."""
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    need = {"tcp": 20, "udp": 8, "ping": 8}[name]
    for room in range(need):
        cut = VALID[name].copy()
        cut[IP].len = 20 + room
        assert rig.run("from_netdev", bytes(cut)[: 34 + room]).verdict == SHOT, f"{room} bytes"
    assert rig.dropped() == {Reason.CT_INVALID_HEADER: need}


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
