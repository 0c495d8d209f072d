"""The tunnel in the XDP program's own hands: what the kernel's device would do, it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from .node import (
    CLIENT,
    CLIENT_6,
    DUAL,
    GATEWAY_MAC,
    NODE,
    NODE2,
    NODE2_MAC,
    NODE_MAC,
    REMOTE_POD,
    REMOTE_POD_6,
    ROUTER,
    ROUTER_6,
    VIP,
    VIP_6,
)
from .noise import ones_complement
from .packets import FROM_ROUTER, PORT, datagram, reply, request, same
from .rig import Backend, Rig
from .xdp import SENT, passes_untouched, tunnelled

MakeRig = Callable[..., Rig]


def test_request_enters_the_tunnel(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    out = rig.run("xdp_entry", request())
    assert out.verdict == SENT
    frame = out.frame
    assert (frame.src, frame.dst) == (NODE_MAC, NODE2_MAC)
    assert (frame[IP].src, frame[IP].dst, frame[IP].ttl) == (NODE, NODE2, 64)
    assert (frame[UDP].dport, frame[UDP].chksum) == (8472, 0)
    assert frame[UDP].len == frame[IP].len - 20
    inner = VXLAN(bytes(frame[UDP].payload))
    assert (inner.flags, inner.vni) == (8, 6), "remote-node, as in Cilium 1.10"
    wanted = IP(src=ROUTER, dst=REMOTE_POD) / TCP(sport=PORT, dport=8080, flags="S")
    same(inner[Ether], Ether() / wanted)
    ip = frame[IP].copy()
    del ip.chksum
    del ip.len
    assert bytes(ip)[:20] == bytes(frame[IP])[:20], "length and checksum of the outer header"


def test_tunnels_port_tells_flows_apart(rig: Rig) -> None:
    """For the routers on the way that spread packets over several links (RFC 7348, 5)."""
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    sent = [request(sport=port) for port in range(40000, 40020)]
    first, again = ([rig.run("xdp_entry", each).frame[UDP].sport for each in sent] for _ in "12")
    assert first == again
    assert len(set(first)) > 10
    assert all(32768 <= port <= 65535 for port in first)


def test_reply_leaves_the_tunnel_for_the_client(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("xdp_entry", request())
    out = rig.run("xdp_entry", tunnelled(reply(REMOTE_POD, ROUTER)))
    assert out.verdict == SENT
    wanted = IP(src=VIP, dst=CLIENT, ttl=63) / TCP(sport=80, dport=PORT, flags="SA")
    same(out.frame, Ether() / wanted)
    assert (out.frame.src, out.frame.dst) == (NODE_MAC, GATEWAY_MAC)


def test_packet_too_long_for_the_tunnel_goes_up(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD)], proto=17)
    fits, too_long = 1500 - 50 - 28, 1500 - 49 - 28
    passes_untouched(rig, datagram(CLIENT, VIP, data=bytes(too_long)))
    out = rig.run("xdp_entry", datagram(CLIENT, VIP, data=bytes(fits)))
    assert (out.verdict, len(out.packet)) == (SENT, 1514)


def test_ipv6_goes_through_the_same_tunnel(make_rig: MakeRig) -> None:
    rig = make_rig(DUAL)
    rig.service(VIP_6, 80, [Backend(REMOTE_POD_6)])
    asked = FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6) / TCP(sport=PORT, dport=80, flags="S")
    out = rig.run("xdp_entry", asked)
    assert out.verdict == SENT
    inner = VXLAN(bytes(out.frame[UDP].payload))
    wanted = IPv6(src=ROUTER_6, dst=REMOTE_POD_6) / TCP(sport=PORT, dport=80, flags="S")
    same(inner[Ether], Ether() / wanted)
    answer = IPv6(src=REMOTE_POD_6, dst=ROUTER_6) / TCP(sport=80, dport=PORT, flags="SA")
    back = rig.run("xdp_entry", tunnelled(Ether(src=NODE_MAC, dst=NODE_MAC) / answer))
    wanted = IPv6(src=VIP_6, dst=CLIENT_6, hlim=63) / TCP(sport=80, dport=PORT, flags="SA")
    same(back.frame, Ether() / wanted)


@pytest.mark.parametrize(("field", "value"), [("vni", 1), ("flags", 0), ("flags", 0x88)])
def test_tunnel_packet_that_is_odd_is_tcs_to_judge(rig: Rig, field: str, value: int) -> None:
    """Who claims to be this node, or says what no node does (RFC 7348, 5)."""
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("xdp_entry", request())
    forged = tunnelled(reply(REMOTE_POD, ROUTER))
    forged[VXLAN].setfieldval(field, value)
    passes_untouched(rig, forged)


NOT_ECT, ECT1, ECT0, CE = range(4)
"""The ECN field, RFC 3168."""


@pytest.mark.parametrize(
    ("inner", "outer"), [(NOT_ECT, NOT_ECT), (ECT1, ECT1), (ECT0, ECT0), (CE, ECT0)]
)
@pytest.mark.parametrize("version", [4, 6])
def test_tunnel_shows_what_the_sender_can_of_congestion(
    make_rig: MakeRig, version: int, inner: int, outer: int
) -> None:
    """As the kernel's tunnel device does: RFC 6040, 4.1, in its compatibility mode for CE."""
    rig = make_rig(DUAL)
    if version == 4:
        rig.service(VIP, 80, [Backend(REMOTE_POD)])
        ip: Any = IP(src=CLIENT, dst=VIP, tos=0xB8 | inner)
    else:
        rig.service(VIP_6, 80, [Backend(REMOTE_POD_6)])
        ip = IPv6(src=CLIENT_6, dst=VIP_6, tc=0xB8 | inner, fl=0xFFFFF)
    out = rig.run("xdp_entry", FROM_ROUTER / ip / TCP(sport=PORT, dport=80, flags="S"))
    assert (out.verdict, out.frame[IP].tos) == (SENT, outer)
    assert ones_complement(out.packet[14:34]) == 0


@pytest.mark.parametrize(("inner", "outer"), [(ECT0, CE), (NOT_ECT, CE), (ECT0, ECT1)])
def test_congestion_that_the_tunnel_met_is_told_by_the_kernel(
    rig: Rig, inner: int, outer: int
) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("xdp_entry", request())
    answer = reply(REMOTE_POD, ROUTER)
    answer[IP].tos = inner
    marked = tunnelled(answer)
    marked[IP].tos = outer
    passes_untouched(rig, marked)
    marked[IP].tos = inner
    assert rig.run("xdp_entry", marked).verdict == SENT


def test_tunnel_packets_have_identifications_of_their_own(rig: Rig) -> None:
    """They may be cut in parts on their way, which must not be mixed up (RFC 6864, 4.2)."""
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    sent = [rig.run("xdp_entry", request(flags="A")).frame[IP] for _ in range(8)]
    assert not any(ip.flags.DF for ip in sent)
    assert len({ip.id for ip in sent}) > 1
