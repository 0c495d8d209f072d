"""The uplink's XDP program: what turns around before the stack, and what it leaves to tc."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import Aggregation, CtFlag, Identity, ObsPoint, Reason, TupleFlag
from lab.bpf.config import Forwarding, NodeConfig

from .family import IPV4, IPV6, Family
from .node import (
    CLIENT,
    CLIENT_6,
    CONFIG,
    DUAL,
    GATEWAY_MAC,
    MODERN,
    NODE,
    NODE2,
    NODE2_MAC,
    NODE_MAC,
    POD,
    POD_LABEL,
    REMOTE_POD,
    REMOTE_POD_6,
    ROUTER,
    ROUTER_6,
    TUNNEL,
    VIP,
    VIP_6,
)
from .noise import ones_complement
from .packets import FROM_ROUTER, PORT, arriving, datagram, ping, reply, request, same
from .rig import Backend, Rig

DROP, PASS, SENT = 1, 2, 4
"""Verdicts of XDP; SENT is XDP_REDIRECT."""

NATIVE = replace(CONFIG, tunnel=False)
DSR = replace(NATIVE, forwarding=Forwarding.DSR)
MakeRig = Callable[..., Rig]


def tunnelled(packet: Any, node: str = NODE2) -> Any:
    """A packet that comes out of another node's tunnel."""
    outer = IP(src=node, dst=NODE) / UDP(sport=45000, dport=8472, chksum=0)
    return FROM_ROUTER / outer / VXLAN(vni=4321, flags=8) / packet


def passes_untouched(rig: Rig, packet: Any) -> None:
    out = rig.run("xdp_entry", packet)
    assert out.verdict == PASS
    assert out.packet == bytes(packet)


def test_request_enters_the_tunnel(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    out = rig.run("xdp_entry", request())
    assert out.verdict == SENT
    frame = out.frame
    assert (frame.src, frame.dst) == (NODE_MAC, NODE2_MAC)
    assert (frame[IP].src, frame[IP].dst, frame[IP].ttl) == (NODE, NODE2, 64)
    assert (frame[UDP].dport, frame[UDP].chksum) == (8472, 0)
    assert 32768 <= frame[UDP].sport <= 65535
    inner = VXLAN(bytes(frame[UDP].payload))
    assert (inner.flags, inner.vni) == (8, 6), "remote-node, as in Cilium 1.10"
    wanted = IP(src=ROUTER, dst=REMOTE_POD) / TCP(sport=PORT, dport=8080, flags="S")
    same(inner[Ether], Ether() / wanted)
    ip = frame[IP].copy()
    del ip.chksum
    del ip.len
    assert bytes(ip)[:20] == bytes(frame[IP])[:20], "length and checksum of the outer header"


def test_reply_leaves_the_tunnel_for_the_client(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("xdp_entry", request())
    out = rig.run("xdp_entry", tunnelled(reply(REMOTE_POD, ROUTER)))
    assert out.verdict == SENT
    wanted = IP(src=VIP, dst=CLIENT, ttl=63) / TCP(sport=80, dport=PORT, flags="SA")
    same(out.frame, Ether() / wanted)
    assert (out.frame.src, out.frame.dst) == (NODE_MAC, GATEWAY_MAC)


def test_the_flow_is_tracked_as_tc_does(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("xdp_entry", request())
    rig.run("xdp_entry", tunnelled(reply(REMOTE_POD, ROUTER)))
    (entry,) = [v for k, v in rig.map(t.CT_TCP).items() if k.flags == TupleFlag.OUT]
    assert (entry.flags, entry.tx_packets, entry.rx_packets) == (CtFlag.NODE_PORT, 1, 1)


def test_packets_of_a_flow_may_take_either_way(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD, port) for port in range(1, 30)])
    out = rig.run("from_netdev", request())
    again = rig.run("xdp_entry", request(flags="A"))
    inner = VXLAN(bytes(again.frame[UDP].payload))
    assert (inner[TCP].dport, inner[TCP].sport) == (out.frame[TCP].dport, PORT)


@pytest.mark.parametrize("proto", [6, 17])
@pytest.mark.parametrize("size", [0, 1, 1000])
def test_checksums_are_right(rig: Rig, proto: int, size: int) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD, 1234)], proto=proto)
    l4 = TCP(sport=60, dport=80, flags="PA") if proto == 6 else UDP(sport=60, dport=80)
    out = rig.run("xdp_entry", FROM_ROUTER / IP(src=CLIENT, dst=VIP) / l4 / bytes(size))
    inner = VXLAN(bytes(out.frame[UDP].payload))[IP]
    wanted = inner.copy()
    del wanted.chksum
    del wanted.payload.chksum
    assert bytes(inner) == bytes(wanted)
    assert (inner.src, inner.dst, inner.dport) == (ROUTER, REMOTE_POD, 1234)


def test_no_udp_checksum_stays_none(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD)], proto=17)
    sent = datagram(CLIENT, VIP)
    sent[UDP].chksum = 0
    out = rig.run("xdp_entry", sent)
    assert VXLAN(bytes(out.frame[UDP].payload))[UDP].chksum == 0


def test_local_backend_is_left_to_tc_and_stays_the_same(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, port) for port in range(1, 30)])
    passes_untouched(rig, request())
    (entry,) = [v for k, v in rig.map(t.CT_TCP).items() if k.flags == TupleFlag.SERVICE]
    assert rig.run("from_netdev", request()).frame[TCP].dport == entry.rx_bytes


def test_what_is_not_for_a_service_goes_up(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    for packet in (
        request(dport=81),
        request(dst=NODE, dport=22),
        ping(CLIENT, VIP),
        tunnelled(reply(REMOTE_POD, POD)),
        tunnelled(reply(REMOTE_POD, ROUTER, dport=1)),
        Ether(src=GATEWAY_MAC, dst="02:00:00:00:00:77") / request().payload,
        Ether(src=GATEWAY_MAC, dst=NODE_MAC, type=0x88CC) / bytes(60),
    ):
        passes_untouched(rig, packet)


def test_refusals_are_tcs_to_tell(modern: Rig) -> None:
    modern.service(VIP, 80, [])
    modern.service("10.96.0.10", 80, [Backend(REMOTE_POD)], flags=0)
    passes_untouched(modern, request())
    passes_untouched(modern, request(dst="10.96.0.10"))
    assert modern.events() == []
    assert modern.dropped() == {}


def test_unknown_neighbour_is_left_to_the_kernel(rig: Rig) -> None:
    rig.identity(REMOTE_POD, 4321, "192.168.1.99")
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    passes_untouched(rig, request())


def test_packet_too_long_for_the_tunnel_goes_up(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD)], proto=17)
    fits, too_long = 1500 - 50 - 28, 1500 - 49 - 28
    passes_untouched(rig, datagram(CLIENT, VIP, data=bytes(too_long)))
    out = rig.run("xdp_entry", datagram(CLIENT, VIP, data=bytes(fits)))
    assert (out.verdict, len(out.packet)) == (SENT, 1514)


def test_fragments_keep_together_in_tc(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD)], proto=17)
    whole = datagram(CLIENT, VIP, data=bytes(1200))[IP]
    first, second = (FROM_ROUTER / part for part in whole.fragment(fragsize=800))
    assert rig.run("xdp_entry", first).verdict == SENT
    passes_untouched(rig, second)


def test_reply_whose_hops_are_used_up_goes_up(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("xdp_entry", request())
    last = reply(REMOTE_POD, ROUTER)
    last[IP].ttl = 1
    passes_untouched(rig, tunnelled(last))


@pytest.mark.parametrize("config", [CONFIG, MODERN], ids=["1.10", "modern"])
def test_reports_as_tc_does(make_rig: MakeRig, config: NodeConfig) -> None:
    seen = []
    for program in ("from_netdev", "xdp_entry"):
        rig = make_rig(config)
        rig.service(VIP, 80, [Backend(REMOTE_POD)])
        for flags in ("S", "A", "PA", "A"):
            rig.run(program, request(flags=flags))
        seen.append(
            [(e[1], Ether(e[48:])[IP].src, Ether(e[48:])[TCP].flags) for e in rig.raw_events()]
        )
    tc, xdp = seen
    assert tc == xdp
    assert tc[0][0] == ObsPoint.TO_OVERLAY


@pytest.mark.parametrize("family", [IPV4, IPV6], ids=str)
def test_reply_out_of_the_tunnel_is_reported_at_both_places(
    make_rig: MakeRig, family: Family
) -> None:
    """Where it came in, with the tunnel's headers, and where it came out, from whom and without."""
    rig = make_rig(replace(DUAL, aggregation=Aggregation.NONE))
    rig.service(family.vip, 80, [Backend(family.remote_pod)])
    rig.run("xdp_entry", request(family.client, family.vip))
    rig.raw_events()
    answer = reply(family.remote_pod, family.router)
    sent = tunnelled(answer)
    assert rig.run("xdp_entry", sent).verdict == SENT
    outer, inner = rig.raw_events()
    events = [s.trace_notify.parse(raw) for raw in (outer, inner)]
    points = (ObsPoint.FROM_NETWORK, ObsPoint.FROM_OVERLAY)
    assert [(e.subtype, e.src_label, e.flags) for e in events] == [
        (points[0], Identity.WORLD, 0),
        (points[1], 4321, int(family is IPV6)),
    ]
    assert events[1].ifindex == TUNNEL
    assert (outer[48:], inner[48:]) == (bytes(sent)[:128], bytes(answer))


def test_no_port_left_is_a_drop_with_a_reason(make_rig: MakeRig) -> None:
    rig = make_rig(replace(CONFIG, snat_ports=(40000, 40000)))
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    assert rig.run("xdp_entry", request(sport=1)).verdict == SENT
    assert rig.run("xdp_entry", request(sport=2)).verdict == DROP
    assert rig.dropped() == {Reason.NAT_NO_MAPPING: 1}


def test_native_routing_needs_no_tunnel(make_rig: MakeRig) -> None:
    rig = make_rig(NATIVE)
    rig.identity(REMOTE_POD, POD_LABEL)
    rig.route(REMOTE_POD, NODE2)
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    out = rig.run("xdp_entry", request())
    assert out.verdict == SENT
    wanted = IP(src=NODE, dst=REMOTE_POD, ttl=63) / TCP(sport=PORT, dport=80, flags="S")
    same(out.frame, Ether() / wanted)
    assert (out.frame.src, out.frame.dst) == (NODE_MAC, NODE2_MAC)
    back = rig.run("xdp_entry", arriving(reply(REMOTE_POD, NODE)))
    assert back.verdict == SENT
    wanted = IP(src=VIP, dst=CLIENT, ttl=63) / TCP(sport=80, dport=PORT, flags="SA")
    same(back.frame, Ether() / wanted)


def test_dsr_tells_the_service_in_an_option(make_rig: MakeRig) -> None:
    rig = make_rig(DSR)
    rig.identity(REMOTE_POD, POD_LABEL)
    rig.route(REMOTE_POD, NODE2)
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    out = rig.run("xdp_entry", request())
    by_tc = rig.run("from_netdev", request())
    assert out.verdict == SENT
    same(out.frame, by_tc.frame)
    assert bytes(out.frame[IP])[20:24] == bytes.fromhex("9a080050")
    later = rig.run("xdp_entry", request(flags="A"))
    same(later.frame, rig.run("from_netdev", request(flags="A")).frame)


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


def test_every_truncation_goes_up_or_out_whole(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("xdp_entry", request())
    for packet in (bytes(request()), bytes(tunnelled(reply(REMOTE_POD, ROUTER)))):
        for length in range(14, len(packet)):
            out = rig.run("xdp_entry", packet[:length])
            assert (out.verdict, out.packet) == (PASS, packet[:length])


@pytest.mark.parametrize("ttl", [0, 1])
def test_request_whose_hops_are_used_up_goes_up(rig: Rig, ttl: int) -> None:
    """The node is a router to the client, whatever the tunnel does: tc answers."""
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    sent = request()
    sent[IP].ttl = ttl
    passes_untouched(rig, sent)


def test_who_claims_to_be_this_node_in_a_tunnel_is_tcs_to_judge(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("xdp_entry", request())
    forged = tunnelled(reply(REMOTE_POD, ROUTER))
    forged[VXLAN].vni = 1
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
