"""ICMP errors, those passed on and those made here, in both families."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, UDPerror
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    PadN,
)
from scapy.layers.l2 import Ether

from lab.bpf.codes import Reason
from lab.bpf.config import NoBackend

from .errors import EXPIRED, HOST, NO_PORT, TOO_BIG, Kind, error, mtu, quoted, said
from .family import BOTH, IPV4, IPV6, Family
from .node import DUAL
from .packets import FROM_POD, FROM_ROUTER, PORT, datagram, ip, ping, request, same
from .rig import REDIRECT, SHOT, Backend, Rig


@BOTH
@pytest.mark.parametrize("kind", [HOST, NO_PORT, TOO_BIG, EXPIRED])
def test_error_about_a_forwarded_request_reaches_the_client(
    dual: Rig, family: Family, kind: Kind
) -> None:
    dual.service(family.vip, 80, [Backend(family.remote_pod, 8080)])
    forwarded = dual.run("from_netdev", request(family.client, family.vip)).frame
    out = dual.run("from_netdev", FROM_ROUTER / error(forwarded, family.node, kind))
    assert out.verdict == REDIRECT
    assert out.ends == (family.node, family.client)
    assert said(out) == kind.of(family)
    assert quoted(out) == (family.client, PORT, family.vip, 80)


@BOTH
def test_backends_own_error_comes_from_the_vip(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 53, [Backend(family.remote_pod, 5353)], proto=17)
    sent = datagram(family.client, family.vip)
    forwarded = dual.run("from_netdev", sent).frame
    out = dual.run("from_netdev", FROM_ROUTER / error(forwarded, family.remote_pod, NO_PORT))
    assert out.ends == (family.vip, family.client)
    assert said(out) == NO_PORT.of(family)
    assert quoted(out) == (family.client, PORT, family.vip, 53)
    wanted = Ether(bytes(sent))[UDP].chksum
    assert out.frame[UDPerror].chksum == wanted, "the quoted checksum too"


@BOTH
def test_error_of_a_pod_that_asked_itself_by_way_of_this_node_comes_from_the_vip(
    make_rig: Callable[..., Rig], family: Family
) -> None:
    """Without a tunnel it asks in its own name: at both ends of the flow is that pod."""
    rig = make_rig(replace(DUAL, tunnel=False))
    rig.identity(family.remote_pod, 4321)
    rig.service(family.vip, 53, [Backend(family.remote_pod, 5353)], proto=17)
    forwarded = rig.run("from_netdev", datagram(family.remote_pod, family.vip)).frame
    out = rig.run("from_netdev", FROM_ROUTER / error(forwarded, family.remote_pod, NO_PORT))
    assert out.ends == (family.vip, family.remote_pod)
    assert said(out) == NO_PORT.of(family)
    assert quoted(out) == (family.remote_pod, PORT, family.vip, 53)


@BOTH
def test_local_backends_error_comes_from_the_vip(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 53, [Backend(family.pod, 5353)], proto=17)
    delivered = dual.run("from_netdev", datagram(family.client, family.vip)).frame
    out = dual.run("from_container", FROM_POD / error(delivered, family.pod, NO_PORT))
    assert out.ends == (family.vip, family.client)
    assert said(out) == NO_PORT.of(family)
    assert quoted(out) == (family.client, PORT, family.vip, 53)


@BOTH
def test_too_big_a_reply_is_told_to_the_local_backend(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod, 8080)])
    dual.run("from_netdev", request(family.client, family.vip))
    answer = FROM_ROUTER / ip(family.vip, family.client) / TCP(sport=80, dport=PORT, flags="A")
    out = dual.run("from_netdev", FROM_ROUTER / error(answer, family.gateway))
    assert out.verdict == REDIRECT
    assert out.ends == (family.gateway, family.pod)
    assert (said(out), mtu(out)) == (TOO_BIG.of(family), 1400)
    assert quoted(out) == (family.pod, 8080, family.client, PORT)


@BOTH
def test_too_big_a_reply_is_told_to_the_remote_backend(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.remote_pod, 8080)])
    dual.run("from_netdev", request(family.client, family.vip))
    answer = FROM_ROUTER / ip(family.vip, family.client) / TCP(sport=80, dport=PORT, flags="A")
    out = dual.run("from_netdev", FROM_ROUTER / error(answer, family.gateway))
    assert out.verdict == REDIRECT
    assert out.ends[1] == family.remote_pod
    assert said(out) == TOO_BIG.of(family)
    assert quoted(out) == (family.remote_pod, 8080, family.router, PORT)


@BOTH
def test_a_pods_traceroute_hears_of_the_routers_on_its_way(dual: Rig, family: Family) -> None:
    """With echo requests: the node lent them its address and an identifier of its own."""
    sent = FROM_POD / ping(family.pod, family.client).payload
    dual.run("from_container", sent)
    left = dual.run("to_netdev", sent).frame
    echo = left[ICMP if family is IPV4 else ICMPv6EchoRequest]
    assert (left[1].src, echo.id >= 32768) == (family.node, True)
    out = dual.run("from_netdev", FROM_ROUTER / error(left, family.gateway, EXPIRED))
    assert out.verdict == REDIRECT
    assert out.ends == (family.gateway, family.pod)
    assert said(out) == EXPIRED.of(family)
    got, wanted = bytes(out.frame[3]), bytes(sent)[14:]
    assert got == wanted[: len(got)], "the quoted checksum too"


@BOTH
def test_error_about_an_echo_of_the_nodes_own_is_left_alone(dual: Rig, family: Family) -> None:
    own = ping(family.node, family.client, number=40000)
    sent = FROM_ROUTER / error(own, family.gateway, HOST)
    out = dual.run("from_netdev", sent)
    assert out.verdict == 0
    same(out.frame, Ether(bytes(sent)))


@BOTH
def test_error_about_an_answer_of_the_nodes_is_no_pods(dual: Rig, family: Family) -> None:
    """That asks the same host with the same number."""
    dual.run("to_netdev", ping(family.pod, family.client, number=40000))
    answered = ping(family.node, family.client, kind="echo-reply", number=40000)
    sent = FROM_ROUTER / error(answered, family.gateway, HOST)
    out = dual.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (0, bytes(sent))


@BOTH
def test_error_about_nothing_known_is_left_alone(dual: Rig, family: Family) -> None:
    sent = FROM_ROUTER / error(request(family.node, family.client), family.gateway)
    out = dual.run("from_netdev", sent)
    assert out.verdict == 0
    same(out.frame, Ether(bytes(sent)))


@BOTH
def test_truncated_quote_does_no_harm(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.remote_pod)])
    forwarded = dual.run("from_netdev", request(family.client, family.vip)).frame
    whole = bytes(FROM_ROUTER / error(forwarded, family.node))
    header = 20 if family is IPV4 else 40
    for length in range(14 + header + 8, len(whole)):
        cut = Ether(whole[:length])
        if family is IPV4:
            cut[IP].len = length - 14
            del cut[IP].chksum
        else:
            cut[IPv6].plen = length - 54
        out = dual.run("from_netdev", bytes(cut))
        assert (out.verdict, out.packet) == (0, bytes(cut)), f"{length} bytes tell nothing"


@BOTH
def test_service_without_backends_answers_port_unreachable(modern: Rig, family: Family) -> None:
    modern.service(family.vip, 80, [])
    sent = request(family.client, family.vip)
    out = modern.run("from_netdev", sent)
    assert out.verdict == REDIRECT
    assert (out.frame.src, out.frame.dst) == (sent.dst, sent.src)
    assert out.ends == (family.vip, family.client)
    assert said(out) == NO_PORT.of(family)
    assert quoted(out) == (family.client, PORT, family.vip, 80)
    assert modern.dropped() == {Reason.NO_SERVICE: 1}


@BOTH
def test_no_answer_to_a_later_fragment(make_rig: Callable[..., Rig], family: Family) -> None:
    rig = make_rig(replace(DUAL, no_backend=NoBackend.REJECT))
    rig.service(family.vip, 53, [], proto=17)
    ports = UDP(sport=PORT, dport=53)
    if family is IPV4:
        head: Any = {"src": family.client, "dst": family.vip, "id": 9}
        first = FROM_ROUTER / IP(**head, flags="MF") / ports / bytes(8)
        later = FROM_ROUTER / IP(**head, frag=2, proto=17) / bytes(8)
    else:
        whole = FROM_ROUTER / ip(family.client, family.vip)
        first = whole / IPv6ExtHdrFragment(id=9, m=1) / ports / bytes(8)
        later = whole / IPv6ExtHdrFragment(id=9, offset=2, nh=17) / bytes(8)
    assert rig.run("from_netdev", first).verdict == REDIRECT
    assert rig.run("from_netdev", later).verdict == SHOT


@BOTH
def test_no_answer_to_headers_that_a_quote_has_no_room_for(modern: Rig, family: Family) -> None:
    """A quote that ends before the ports tells the sender's socket nothing."""
    modern.service(family.vip, 80, [])
    if family is IPV4:
        head: Any = IP(src=family.client, dst=family.vip, options=b"\x01" * 4)
    else:
        pad = PadN(optdata=bytes(12))
        head = ip(family.client, family.vip) / IPv6ExtHdrDestOpt(options=[pad])
    sent = FROM_ROUTER / head / TCP(sport=PORT, dport=80)
    assert modern.run("from_netdev", sent).verdict == SHOT
    assert modern.dropped() == {Reason.NO_SERVICE: 1}


@BOTH
def test_error_about_a_flow_whose_time_is_over_is_left_alone(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod, 8080)])
    dual.run("from_netdev", request(family.client, family.vip))
    about = FROM_POD / ip(family.vip, family.client) / TCP(sport=80, dport=PORT)
    sent = FROM_ROUTER / error(about, family.gateway)
    assert dual.run("from_netdev", sent).ends[1] == family.pod
    table = dual.map(family.ct_tcp)
    for key, value in list(table.items()):
        value.lifetime = 1
        table.update(key, value)
    out = dual.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (0, bytes(sent))


@BOTH
@pytest.mark.parametrize("place", ["pod", "remote_pod"])
@pytest.mark.parametrize("hops", [0, 1])
def test_hops_that_end_here_are_answered_by_the_node(
    dual: Rig, family: Family, place: str, hops: int
) -> None:
    """The quote has the service's address: the client knows no other."""
    dual.service(family.vip, 80, [Backend(getattr(family, place), 8080)])
    sent = FROM_ROUTER / ip(family.client, family.vip, hops) / TCP(sport=PORT, dport=80)
    out = dual.run("from_netdev", sent)
    assert out.verdict == REDIRECT
    assert out.ends == (family.node, family.client)
    assert said(out) == EXPIRED.of(family)
    assert quoted(out) == (family.client, PORT, family.vip, 80)
    assert dual.dropped() == {Reason.TTL_EXCEEDED: 1}


@BOTH
def test_pods_packet_whose_hops_end_here_is_answered(dual: Rig, family: Family) -> None:
    dual.service(family.cluster_ip, 80, [Backend(family.remote_pod, 8080)], flags=0)
    for dst in (family.cluster_ip, family.remote_pod):
        sent = FROM_POD / ip(family.pod, dst, 1) / TCP(sport=PORT, dport=80)
        out = dual.run("from_container", sent)
        assert (out.verdict, said(out)) == (REDIRECT, EXPIRED.of(family))
        assert quoted(out) == (family.pod, PORT, dst, 80)


@pytest.mark.parametrize(
    ("src", "family"),
    [
        *((src, IPV4) for src in ("0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255")),
        *((src, IPV6) for src in ("::", "::1", "ff02::1")),
    ],
)
def test_no_answer_to_an_address_that_names_no_single_host(
    modern: Rig, src: str, family: Family
) -> None:
    modern.service(family.vip, 80, [])
    assert modern.run("from_netdev", request(src, family.vip)).verdict == SHOT
    assert modern.dropped() == {Reason.NO_SERVICE: 1}
