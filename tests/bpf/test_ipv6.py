"""The same over IPv6: one row for every way a packet can take."""

from __future__ import annotations

import pytest
from scapy.layers.inet import TCP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)

from lab.bpf import tables as t
from lab.bpf.codes import ObsPoint, Reason

from .node import (
    CLIENT_6,
    GATEWAY_MAC,
    NODE_6,
    NODE_MAC,
    POD2_6,
    POD_6,
    POD_MAC,
    REMOTE_POD_6,
    ROUTER_6,
    VETH_MAC,
    VIP_6,
)
from .packets import FROM_POD, FROM_ROUTER, PORT, TO_POD, arriving, reply, request, same
from .rig import OK, REDIRECT, SHOT, Backend, Rig


def test_local_backend_and_back(dual: Rig) -> None:
    dual.service(VIP_6, 80, [Backend(POD_6, 8080)])
    out = dual.run("from_netdev", request(CLIENT_6, VIP_6))
    assert out.verdict == REDIRECT
    wanted = IPv6(src=CLIENT_6, dst=POD_6, hlim=63) / TCP(sport=PORT, dport=8080, flags="S")
    same(out.frame, TO_POD / wanted)
    back = dual.run("from_container", reply(POD_6, CLIENT_6, sport=8080))
    assert back.verdict == REDIRECT
    wanted = IPv6(src=VIP_6, dst=CLIENT_6, hlim=63) / TCP(sport=80, dport=PORT, flags="SA")
    same(back.frame, FROM_POD / wanted)
    assert (back.frame.src, back.frame.dst) == (NODE_MAC, GATEWAY_MAC)


def test_remote_backend_and_back(dual: Rig) -> None:
    dual.service(VIP_6, 80, [Backend(REMOTE_POD_6)])
    out = dual.run("from_netdev", request(CLIENT_6, VIP_6))
    assert out.verdict == REDIRECT
    same(
        out.frame,
        TO_POD / IPv6(src=ROUTER_6, dst=REMOTE_POD_6) / TCP(sport=PORT, dport=80, flags="S"),
    )
    back = dual.run("from_netdev", arriving(reply(REMOTE_POD_6, ROUTER_6)))
    same(
        back.frame,
        FROM_POD / IPv6(src=VIP_6, dst=CLIENT_6, hlim=63) / TCP(sport=80, dport=PORT, flags="SA"),
    )
    (event,) = dual.events()
    assert (event.subtype, event.flags) == (ObsPoint.TO_OVERLAY, 1)


def test_masquerade_and_back(dual: Rig) -> None:
    sent = FROM_POD / IPv6(src=POD_6, dst=CLIENT_6) / TCP(sport=PORT, dport=80)
    assert dual.run("from_container", sent).verdict == OK
    left = dual.run("to_netdev", sent)
    same(left.frame, FROM_POD / IPv6(src=NODE_6, dst=CLIENT_6) / TCP(sport=PORT, dport=80))
    answer = FROM_ROUTER / IPv6(src=CLIENT_6, dst=NODE_6) / TCP(sport=80, dport=PORT, flags="SA")
    back = dual.run("from_netdev", answer)
    assert (back.verdict, back.frame[IPv6].dst) == (REDIRECT, POD_6)


def test_echo_is_tracked_and_translated(dual: Rig) -> None:
    sent = (
        FROM_POD / IPv6(src=POD_6, dst=CLIENT_6) / ICMPv6EchoRequest(id=40000, seq=1, data=b"ping")
    )
    left = dual.run("to_netdev", sent)
    same(
        left.frame,
        FROM_POD
        / IPv6(src=NODE_6, dst=CLIENT_6)
        / ICMPv6EchoRequest(id=40000, seq=1, data=b"ping"),
    )


def test_extension_headers_are_walked(dual: Rig) -> None:
    dual.service(VIP_6, 80, [Backend(POD_6)])
    sent = (
        FROM_ROUTER
        / IPv6(src=CLIENT_6, dst=VIP_6)
        / IPv6ExtHdrDestOpt()
        / TCP(sport=PORT, dport=80)
    )
    out = dual.run("from_netdev", sent)
    same(
        out.frame,
        TO_POD
        / IPv6(src=CLIENT_6, dst=POD_6, hlim=63)
        / IPv6ExtHdrDestOpt()
        / TCP(sport=PORT, dport=80),
    )


@pytest.mark.parametrize("sizes", [(2048,), (1024, 1024), (1992,)], ids=str)
def test_no_port_is_read_out_of_the_options(dual: Rig, sizes: tuple[int, ...]) -> None:
    """Where the ports are farther behind than the programs look, the packet is dropped."""
    dual.service(VIP_6, 80, [Backend(POD_6, 8080)])
    fake = bytes(TCP(dport=80, flags="S"))[2:]
    kinds = [60] * (len(sizes) - 1) + [6]
    headers = [
        bytes([kind, size // 8 - 1]) + fake.ljust(size - 2, b"\0")
        for kind, size in zip(kinds, sizes, strict=True)
    ]
    sent = FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6, nh=60) / b"".join(headers)
    assert dual.run("from_netdev", sent / TCP(dport=80, flags="S")).verdict == SHOT
    assert dual.dropped() == {Reason.INVALID_EXTHDR: 1}


def test_neighbour_discovery_is_left_to_the_kernel(dual: Rig) -> None:
    sent = FROM_ROUTER / IPv6(src="fe80::1", dst="ff02::1:ff00:21") / ICMPv6ND_NS(tgt=NODE_6)
    for program in ("from_netdev", "to_netdev"):
        out = dual.run(program, sent)
        assert (out.verdict, out.packet) == (OK, bytes(sent))


def test_gateway_answers_neighbour_solicitations(dual: Rig) -> None:
    sent = FROM_POD / IPv6(src=POD_6, dst="ff02::1:ff00:1") / ICMPv6ND_NS(tgt=ROUTER_6)
    out = dual.run("from_container", sent)
    assert (out.verdict, out.frame.src, out.frame.dst) == (REDIRECT, VETH_MAC, POD_MAC)
    wanted = (
        FROM_POD
        / IPv6(src=ROUTER_6, dst=POD_6, hlim=255)
        / ICMPv6ND_NA(tgt=ROUTER_6, R=1, S=1, O=1)
        / ICMPv6NDOptDstLLAddr(lladdr=VETH_MAC)
    )
    same(out.frame, wanted)
    sent[ICMPv6ND_NS].tgt = POD2_6
    assert dual.run("from_container", sent).verdict == OK
    told = FROM_POD / IPv6(src=POD_6, dst=ROUTER_6) / ICMPv6ND_NA(tgt=ROUTER_6)
    assert dual.run("from_container", told).verdict == OK, "an answer is not answered"


def test_node_without_ipv6_leaves_it_to_the_stack(rig: Rig) -> None:
    sent = request(CLIENT_6, VIP_6)
    out = rig.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))
    assert dict(rig.map(t.CT_TCP6).items()) == {}


def test_later_fragment_holds_data_only(dual: Rig) -> None:
    """Headers that would follow the fragment's are in the first one."""
    data = bytes([6, 200]) + bytes(30)
    sent = FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6) / IPv6ExtHdrFragment(offset=8, id=5, nh=60)
    assert dual.run("from_netdev", sent / data).verdict == SHOT
    assert dual.dropped() == {Reason.FRAG_NOT_FOUND: 1}


def test_length_of_zero_is_a_jumbograms_only(dual: Rig) -> None:
    """What stands behind a header that promises nothing is no segment (RFC 2675)."""
    dual.service(VIP_6, 80, [Backend(POD_6)])
    sent = request(CLIENT_6, VIP_6)
    sent[IPv6].plen = 0
    assert dual.run("from_netdev", sent).verdict == SHOT
    assert dual.dropped() == {Reason.CT_INVALID_HEADER: 1}
