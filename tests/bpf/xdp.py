"""What tests of the uplink's XDP program share."""

from __future__ import annotations

from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.layers.vxlan import VXLAN

from .node import NODE, NODE2
from .packets import FROM_ROUTER
from .rig import Rig

DROP, PASS, SENT = 1, 2, 4
"""Verdicts of XDP; SENT is XDP_REDIRECT."""


def tunnelled(packet: Any, node: str = NODE2) -> Any:
    """A packet that comes out of another node's tunnel."""
    outer = IP(src=node, dst=NODE) / UDP(sport=45000, dport=8472, chksum=0)
    return FROM_ROUTER / outer / VXLAN(vni=4321, flags=8) / packet


def passes_untouched(rig: Rig, packet: Any) -> None:
    out = rig.run("xdp_entry", packet)
    assert out.verdict == PASS
    assert out.packet == bytes(packet)
