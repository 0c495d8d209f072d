"""ICMP errors, those passed on and those made here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, ICMPerror, IPerror, UDPerror
from scapy.layers.l2 import Ether

from lab.bpf.codes import Reason
from lab.bpf.config import NoBackend

from .node import CLIENT, CONFIG, GATEWAY, NODE, POD, REMOTE_POD, ROUTER, VIP
from .packets import FROM_POD, FROM_ROUTER, PORT, datagram, request, same
from .rig import REDIRECT, SHOT, Backend, Rig


def error(about: Any, src: str, *, code: int = 4) -> Any:
    """A "destination unreachable" about a packet, quoting its header and 8 bytes."""
    outer: Any = IP(src=src, dst=about[IP].src)
    return outer / ICMP(type=3, code=code, nexthopmtu=1400) / bytes(about.getlayer(IP))[:28]


def quoted(frame: Any) -> tuple[str, int, str, int]:
    inner, ports = frame[IPerror], frame[IPerror].payload
    return inner.src, ports.sport, inner.dst, ports.dport


def valid(frame: Any) -> bool:
    """Outer, ICMP and quoted header checksums are what they should be."""
    fresh = frame[IP].copy()
    for layer in (fresh, fresh[ICMP], fresh[IPerror]):
        del layer.chksum
    rebuilt = bytes(fresh)
    got = bytes(frame[IP])
    return (
        rebuilt[10:12] == got[10:12]
        and rebuilt[22:24] == got[22:24]
        and rebuilt[38:40] == got[38:40]
    )


@pytest.mark.parametrize("code", [1, 3, 4])
def test_error_about_a_forwarded_request_reaches_the_client(rig: Rig, code: int) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    forwarded = rig.run("from_netdev", request()).frame
    out = rig.run("from_netdev", FROM_ROUTER / error(forwarded, NODE, code=code))
    assert out.verdict == REDIRECT
    assert (out.frame[IP].src, out.frame[IP].dst) == (NODE, CLIENT)
    assert (out.frame[ICMP].code, quoted(out.frame)) == (code, (CLIENT, PORT, VIP, 80))
    assert valid(out.frame)


def test_backends_own_error_comes_from_the_vip(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD, 5353)], proto=17)
    forwarded = rig.run("from_netdev", datagram(CLIENT, VIP)).frame
    out = rig.run("from_netdev", FROM_ROUTER / error(forwarded, REMOTE_POD, code=3))
    assert (out.frame[IP].src, out.frame[IP].dst) == (VIP, CLIENT)
    assert quoted(out.frame) == (CLIENT, PORT, VIP, 53)
    assert valid(out.frame)
    fresh = FROM_ROUTER / IP(src=CLIENT, dst=VIP) / UDP(sport=PORT, dport=53) / b"q"
    assert out.frame[UDPerror].chksum == Ether(bytes(fresh))[UDP].chksum, "the quoted checksum too"


def test_local_backends_error_comes_from_the_vip(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(POD, 5353)], proto=17)
    delivered = rig.run("from_netdev", datagram(CLIENT, VIP)).frame
    out = rig.run("from_container", FROM_POD / error(delivered, POD, code=3))
    assert (out.frame[IP].src, out.frame[IP].dst) == (VIP, CLIENT)
    assert quoted(out.frame) == (CLIENT, PORT, VIP, 53)


def test_frag_needed_for_a_reply_reaches_the_local_backend(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 8080)])
    rig.run("from_netdev", request())
    answer = FROM_ROUTER / IP(src=VIP, dst=CLIENT) / TCP(sport=80, dport=PORT, flags="A")
    out = rig.run("from_netdev", FROM_ROUTER / error(answer, GATEWAY))
    assert out.verdict == REDIRECT
    assert (out.frame[IP].src, out.frame[IP].dst) == (GATEWAY, POD)
    assert quoted(out.frame) == (POD, 8080, CLIENT, PORT)
    assert out.frame[ICMP].nexthopmtu == 1400


def test_frag_needed_for_a_reply_reaches_the_remote_backend(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    rig.run("from_netdev", request())
    answer = FROM_ROUTER / IP(src=VIP, dst=CLIENT) / TCP(sport=80, dport=PORT, flags="A")
    out = rig.run("from_netdev", FROM_ROUTER / error(answer, GATEWAY))
    assert out.verdict == REDIRECT
    assert out.frame[IP].dst == REMOTE_POD
    assert quoted(out.frame) == (REMOTE_POD, 8080, ROUTER, PORT)
    assert valid(out.frame)


def test_a_pods_traceroute_hears_of_the_routers_on_its_way(rig: Rig) -> None:
    """With echo requests: the node lent them its address and an identifier of its own."""
    sent = FROM_POD / IP(src=POD, dst=CLIENT) / ICMP(id=7, seq=3) / b"where"
    rig.run("from_container", sent)
    left = rig.run("to_netdev", sent).frame
    assert left[ICMP].id >= 32768
    outer: Any = FROM_ROUTER / IP(src=GATEWAY, dst=NODE)
    out = rig.run("from_netdev", outer / ICMP(type=11, code=0) / bytes(left[IP])[:28])
    assert out.verdict == REDIRECT
    assert (out.frame[IP].src, out.frame[IP].dst) == (GATEWAY, POD)
    inner = out.frame[IPerror]
    assert (inner.src, inner.dst, inner[ICMPerror].id) == (POD, CLIENT, 7)
    assert inner[ICMPerror].chksum == Ether(bytes(sent))[ICMP].chksum, "the quoted checksum too"
    assert valid(out.frame)


def test_error_about_an_echo_of_the_nodes_own_is_left_alone(rig: Rig) -> None:
    own = FROM_ROUTER / IP(src=NODE, dst=CLIENT) / ICMP(id=40000, seq=1)
    sent = FROM_ROUTER / error(own, GATEWAY, code=1)
    out = rig.run("from_netdev", sent)
    assert out.verdict == 0
    same(out.frame, Ether(bytes(sent)))


def test_error_about_nothing_known_is_left_alone(rig: Rig) -> None:
    sent = FROM_ROUTER / error(request(src=NODE, dst=CLIENT), GATEWAY)
    out = rig.run("from_netdev", sent)
    assert out.verdict == 0
    same(out.frame, Ether(bytes(sent)))


@pytest.mark.parametrize("length", range(42, 70))
def test_truncated_quote_does_no_harm(rig: Rig, length: int) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    forwarded = rig.run("from_netdev", request()).frame
    whole = bytes(FROM_ROUTER / error(forwarded, NODE))
    cut = Ether(whole[:length])
    cut[IP].len = length - 14
    del cut[IP].chksum
    assert rig.run("from_netdev", bytes(cut)).verdict in (0, SHOT, REDIRECT)


def test_service_without_backends_answers_port_unreachable(modern: Rig) -> None:
    modern.service(VIP, 80, [])
    sent = request()
    out = modern.run("from_netdev", sent)
    assert out.verdict == REDIRECT
    assert (out.frame.src, out.frame.dst) == (sent.dst, sent.src)
    assert (out.frame[IP].src, out.frame[IP].dst) == (VIP, CLIENT)
    assert (out.frame[ICMP].type, out.frame[ICMP].code) == (3, 3)
    assert quoted(out.frame) == (CLIENT, PORT, VIP, 80)
    assert valid(out.frame)
    assert modern.dropped() == {Reason.NO_SERVICE: 1}


def test_no_answer_to_a_later_fragment(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(replace(CONFIG, no_backend=NoBackend.REJECT))
    rig.service(VIP, 53, [], proto=17)
    first = (
        FROM_ROUTER
        / IP(src=CLIENT, dst=VIP, id=9, flags="MF")
        / UDP(sport=PORT, dport=53)
        / bytes(8)
    )
    later = FROM_ROUTER / IP(src=CLIENT, dst=VIP, id=9, frag=2, proto=17) / bytes(8)
    assert rig.run("from_netdev", first).verdict == REDIRECT
    assert rig.run("from_netdev", later).verdict == SHOT


@pytest.mark.parametrize("pod", [POD, REMOTE_POD], ids=["local", "remote"])
@pytest.mark.parametrize("ttl", [0, 1])
def test_ttl_that_ends_here_is_answered_by_the_node(rig: Rig, pod: str, ttl: int) -> None:
    """The quote has the service's address: the client knows no other."""
    rig.service(VIP, 80, [Backend(pod, 8080)])
    sent = request()
    sent[IP].ttl = ttl
    out = rig.run("from_netdev", sent)
    assert out.verdict == REDIRECT
    assert (out.frame[IP].src, out.frame[IP].dst, out.frame[ICMP].type) == (NODE, CLIENT, 11)
    assert quoted(out.frame) == (CLIENT, PORT, VIP, 80)
    assert valid(out.frame)
    assert rig.dropped() == {Reason.TTL_EXCEEDED: 1}


def test_pods_packet_whose_ttl_ends_here_is_answered(rig: Rig) -> None:
    rig.service("10.96.0.10", 80, [Backend(REMOTE_POD, 8080)], flags=0)
    for dst in ("10.96.0.10", REMOTE_POD):
        sent = FROM_POD / IP(src=POD, dst=dst, ttl=1) / TCP(sport=PORT, dport=80)
        out = rig.run("from_container", sent)
        assert (out.verdict, out.frame[ICMP].type) == (REDIRECT, 11)
        assert quoted(out.frame) == (POD, PORT, dst, 80)


@pytest.mark.parametrize("src", ["0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255"])
def test_no_answer_to_an_address_that_names_no_single_host(modern: Rig, src: str) -> None:
    modern.service(VIP, 80, [])
    assert modern.run("from_netdev", request(src=src)).verdict == SHOT
    assert modern.dropped() == {Reason.NO_SERVICE: 1}
