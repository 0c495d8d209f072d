"""Random packets through every program: the few things that must hold for all of them do.

`lab test tests/bpf/test_noise.py --packets 1000000` sends as many in all; a failure names the seed
and the number of the packet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.bpf.codes import Algorithm, ServiceFlag

from . import invariants
from .node import (
    DUAL,
    MODERN,
    POD,
    POD_6,
    POD_MAC,
    REMOTE_POD,
    REMOTE_POD_6,
    VETH_MAC,
    VIP,
    VIP_6,
    direct,
)
from .noise import CLUSTER_IP, Noise
from .rig import EXPOSED, REDIRECT, SHOT, Backend, Rig

CONFIGS = {
    "1.10": DUAL,
    "modern": MODERN,
    "dsr": direct(DUAL),
}
PROGRAMS = ("from_netdev", "to_netdev", "from_overlay", "from_host", "from_container")
BATCH = 500
FORWARDED, UDP = 0, 17


def serve(rig: Rig) -> set[tuple[bytes, int]]:
    """Services of every kind; addresses and ports of those with backends."""
    both, both6 = [Backend(POD), Backend(REMOTE_POD)], [Backend(POD_6), Backend(REMOTE_POD_6)]
    affinity: Any = {"flags": EXPOSED | ServiceFlag.AFFINITY, "affinity": 60}
    rig.service(VIP, 80, both, **affinity)
    rig.service(VIP, 53, both, proto=UDP, algorithm=Algorithm.MAGLEV)
    rig.service(VIP, 81, [])
    rig.service(VIP, 0, [], proto=0)
    rig.service(CLUSTER_IP, 80, [Backend(POD), Backend(REMOTE_POD)], flags=0)
    rig.service(VIP_6, 80, both6, **affinity)
    rig.service(VIP_6, 53, both6, proto=UDP)
    rig.service(VIP_6, 81, [])
    return {invariants.place(vip, 80) for vip in (VIP, CLUSTER_IP, VIP_6)}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("kind", CONFIGS)
def test_noise_breaks_no_rule(
    make_rig: Callable[..., Rig], request: pytest.FixtureRequest, kind: str, program: str
) -> None:
    rig = make_rig(CONFIGS[kind])
    services = serve(rig)
    number, seed = 0, int(request.config.getoption("noise_seed"))
    share = request.config.getoption("packets") // (len(CONFIGS) * len(PROGRAMS))
    noise, macs = Noise(seed), (POD_MAC, VETH_MAC) if program == "from_container" else ()
    while number < share:
        frames = [noise.frame(*macs) for _ in range(min(BATCH, share - number))]
        before = sum(rig.dropped().values())
        ended = 0
        for frame, out in zip(frames, rig.run_all(program, frames), strict=True):
            try:
                invariants.verify(frame, out, services)
            except AssertionError as broken:
                hint = f"{kind} {program}: packet {number} of seed {seed}, {frame.hex()}"
                raise AssertionError(f"{broken}\n{hint} -> {out.packet.hex()}") from broken
            ended += out.verdict == SHOT or (
                out.verdict == REDIRECT and invariants.answers(frame, out.packet)
            )
            number += 1
        assert sum(rig.dropped().values()) - before == ended, "every drop is counted, once"
