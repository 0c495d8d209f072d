"""The uplink's XDP program: what turns around before the stack, and what it leaves to tc."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from lab import shell
from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import (
    Aggregation,
    BackendState,
    CtFlag,
    Identity,
    ObsPoint,
    Reason,
    TupleFlag,
)
from lab.bpf.config import NodeConfig

from .family import BOTH, IPV6, Family
from .node import (
    CLIENT,
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
    ROUTER,
    TUNNEL,
    VIP,
    direct,
)
from .packets import FROM_ROUTER, PORT, arriving, datagram, ping, reply, request, same
from .rig import Backend, Rig
from .xdp import DROP, PASS, SENT, passes_untouched, tunnelled

NATIVE = replace(CONFIG, tunnel=False)
DSR = direct(CONFIG)
MakeRig = Callable[..., Rig]


def test_the_flow_is_tracked_as_tc_does(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("xdp_entry", request())
    rig.run("xdp_entry", tunnelled(reply(REMOTE_POD, ROUTER)))
    (entry,) = [v for k, v in rig.map(t.CT_TCP).items() if k.flags == TupleFlag.OUT]
    assert (entry.flags, entry.tx_packets, entry.rx_packets) == (CtFlag.NODE_PORT, 1, 1)
    sent, answer = len(request()), len(reply(REMOTE_POD, ROUTER))
    assert (entry.tx_bytes, entry.rx_bytes) == (sent, answer), "without the tunnel's headers"


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


def test_what_leaves_by_another_link_goes_up(make_rig: MakeRig) -> None:
    """Out of this one it would be lost."""
    rig = make_rig(NATIVE)
    rig.identity(REMOTE_POD, POD_LABEL)
    far = f"""
        link add far0 type veth peer name far1
        link set far0 up
        link set far1 up
        address add 192.168.9.1/24 dev far0
        neighbour add 192.168.9.2 lladdr {NODE2_MAC} nud permanent dev far0
    """
    rig.inside(lambda: shell.run(["ip", "-batch", "-"], input=far))
    rig.route(REMOTE_POD, "192.168.9.2")
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    passes_untouched(rig, request())


def test_flow_of_a_service_that_has_no_backend_for_others_is_tcs(rig: Rig) -> None:
    """What becomes of it differs between the profiles."""
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    assert rig.run("xdp_entry", request()).verdict == SENT
    leaving = Backend(REMOTE_POD, 80, BackendState.QUARANTINED)
    rig.service(VIP, 80, [leaving], terminating=1)
    passes_untouched(rig, request(flags="A"))


def test_later_fragments_are_left_to_tc(rig: Rig) -> None:
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


@BOTH
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
