"""What is remembered of a flow, and no longer true: another service, a backend that left, a SYN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import BackendState, CtFlag, Reason, ServiceFlag, TupleFlag
from lab.bpf.config import Forwarding

from .dsr import option
from .node import CLIENT, CONFIG, POD, POD2, REMOTE_POD, ROUTER, VIP
from .packets import FROM_POD, FROM_ROUTER, PORT, datagram, reply, request
from .rig import EXPOSED, OK, REDIRECT, SHOT, Backend, Rig

CLUSTER_IP, OTHER_IP, OTHER_VIP = "10.96.0.10", "10.96.0.11", "172.16.10.1"
STICKY = EXPOSED | ServiceFlag.AFFINITY


def query(dst: str, *, src: str = POD) -> Any:
    """A datagram from a pod."""
    return FROM_POD / IP(src=src, dst=dst) / UDP(sport=PORT, dport=53) / b"q"


def answer(src: str, dst: str) -> Any:
    return FROM_POD / IP(src=src, dst=dst) / UDP(sport=53, dport=PORT) / b"a"


def test_pod_that_knew_the_backend_is_answered_by_the_service(rig: Rig) -> None:
    """A resolver that keeps its port asks a server first by its own address."""
    rig.service(CLUSTER_IP, 53, [Backend(POD2, 53)], proto=17, flags=0)
    rig.service(OTHER_IP, 53, [Backend(POD2, 53)], proto=17, flags=0)
    for asked in (POD2, CLUSTER_IP, OTHER_IP, POD2):
        rig.run("from_container", query(asked))
        assert rig.run("from_container", answer(POD2, POD)).frame[IP].src == asked


@pytest.mark.parametrize("pod", [POD, REMOTE_POD], ids=["local", "remote"])
def test_client_is_answered_by_the_service_it_asked_last(rig: Rig, pod: str) -> None:
    """Two services of one backend, asked from one port; one may be the other, made anew."""
    for vip in (VIP, OTHER_VIP):
        rig.service(vip, 53, [Backend(pod, 53)], proto=17)
    for vip in (VIP, OTHER_VIP, VIP):
        rig.run("from_netdev", datagram(CLIENT, vip))
        if pod == POD:
            back = rig.run("from_container", answer(POD, CLIENT))
        else:
            back = rig.run("from_netdev", datagram(pod, ROUTER, sport=53, dport=PORT))
        assert (back.verdict, back.frame[IP].src) == (REDIRECT, vip)


def test_client_of_a_service_that_was_made_anew_gets_a_backend_of_the_new_one(rig: Rig) -> None:
    """The old one's backend still exists: another service has it."""
    rig.service(VIP, 53, [Backend(POD, 53)], proto=17)
    rig.run("from_netdev", datagram(CLIENT, VIP))
    rig.service(VIP, 53, [Backend(POD2, 53)], proto=17, anew=True)
    assert rig.run("from_netdev", datagram(CLIENT, VIP)).frame[IP].dst == POD2


def test_client_that_knew_the_pod_is_answered_by_the_service(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(POD, 53)], proto=17)
    for asked in (POD, VIP):
        rig.run("from_netdev", datagram(CLIENT, asked))
        assert rig.run("from_container", answer(POD, CLIENT)).frame[IP].src == asked


def test_client_that_knew_the_pod_is_answered_by_the_service_with_dsr(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(replace(CONFIG, tunnel=False, forwarding=Forwarding.DSR))
    rig.service(VIP, 53, [Backend(POD, 53)], proto=17)
    rig.run("from_netdev", datagram(CLIENT, POD))
    told = (
        FROM_ROUTER
        / IP(src=CLIENT, dst=POD, options=option(VIP, 53))
        / UDP(sport=PORT, dport=53)
        / b"q"
    )
    rig.run("from_netdev", told)
    back = rig.run("from_container", answer(POD, CLIENT))
    assert (back.verdict, back.frame[IP].src) == (REDIRECT, VIP)


def test_node_is_answered_by_the_service_it_asked_last(rig: Rig) -> None:
    for address in (CLUSTER_IP, OTHER_IP):
        rig.service(address, 80, [Backend(POD)], flags=0)
    for address in (CLUSTER_IP, OTHER_IP):
        rig.run("to_container", rig.run("from_host", request(ROUTER, address)).packet)
        assert rig.run("from_container", reply(POD, ROUTER)).frame[IP].src == address


def test_affinity_with_a_backend_that_is_gone_chooses_another(rig: Rig) -> None:
    """The backend goes before the entry that vouches for it does."""
    rig.service(VIP, 80, [Backend(POD, 1)], flags=STICKY, affinity=100)
    rig.run("from_netdev", request())
    gone = rig.backend(Backend(POD, 1))
    rig.service(VIP, 80, [Backend(POD, 2)], flags=STICKY, affinity=100)
    match = s.lb_affinity_match(backend_id=gone, rev_nat_id=2)
    rig.map(t.AFFINITY_MATCH).update(match, t.Present(1))
    ((key, value),) = list(rig.map(t.AFFINITY).items())
    key.rev_nat_id = 2
    rig.map(t.AFFINITY).update(key, value)
    rig.map(t.BACKENDS).delete(t.BackendId(gone))
    out = rig.run("from_netdev", request(sport=40001))
    assert (out.verdict, out.frame[TCP].dport) == (REDIRECT, 2)


def test_affinity_brings_no_new_flow_to_a_terminating_backend(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 1)], flags=STICKY, affinity=100)
    rig.run("from_netdev", request())
    backends = [Backend(POD, 2), Backend(POD, 1, BackendState.TERMINATING)]
    rig.service(VIP, 80, backends, terminating=1, flags=STICKY, affinity=100)
    for port in range(40000, 40005):
        assert rig.run("from_netdev", request(flags="A")).frame[TCP].dport == 1
        assert rig.run("from_netdev", request(sport=port)).frame[TCP].dport == 2


@pytest.mark.parametrize("closing", ["client", "backend"])
def test_syn_for_a_half_closed_flow_begins_a_new_one(rig: Rig, closing: str) -> None:
    """The other side's FIN was lost, or it crashed: its old one must not end the new flow."""
    rig.service(VIP, 80, [Backend(POD)])
    client, pod = request(flags="FA"), reply(POD, CLIENT, flags="FA")
    rig.run("from_netdev", request())
    rig.run("from_netdev", request(flags="A"))
    if closing == "client":
        rig.run("from_netdev", client)
    else:
        rig.run("from_container", pod)
    rig.run("from_netdev", request())
    rig.run("from_container", reply(POD, CLIENT))
    entry = next(v for k, v in rig.map(t.CT_TCP).items() if k.flags == TupleFlag.IN)
    assert not entry.flags & (CtFlag.RX_CLOSING | CtFlag.TX_CLOSING)


def test_flow_goes_on_when_its_service_has_no_backend_for_others(modern: Rig) -> None:
    """Its backend is still there, but takes no new flows."""
    modern.service(VIP, 80, [Backend(POD, 1)])
    modern.run("from_netdev", request())
    quarantined = [Backend(POD, 1, BackendState.QUARANTINED)]
    modern.service(VIP, 80, quarantined, terminating=1)
    assert modern.run("from_netdev", request(flags="A")).frame[TCP].dport == 1
    other = modern.run("from_netdev", request(sport=40001))
    assert (other.verdict, other.frame[ICMP].type) == (REDIRECT, 3)


def test_vanished_backend_without_successor_is_told_in_modern(modern: Rig) -> None:
    modern.service(VIP, 80, [Backend(POD, 1)])
    modern.map(t.BACKENDS).delete(t.BackendId(1))
    out = modern.run("from_netdev", request())
    assert (out.verdict, out.frame[ICMP].type, out.frame[ICMP].code) == (REDIRECT, 3, 3)
    sent = reply(POD2, VIP, sport=40000, dport=80, flags="S")
    out = modern.run("from_container", sent)
    assert (out.verdict, out.frame[ICMP].type, out.frame[ICMP].code) == (REDIRECT, 3, 3)
    assert [event.subtype for event in modern.events()] == [Reason.NO_SERVICE] * 2


def test_who_may_not_use_a_service_is_not_told_that_it_is_empty(modern: Rig) -> None:
    modern.service(CLUSTER_IP, 80, [], flags=0)
    modern.service(VIP, 80, [], flags=EXPOSED | ServiceFlag.SOURCE_RANGE)
    for dst in (CLUSTER_IP, VIP):
        assert modern.run("from_netdev", request(dst=dst)).verdict == SHOT
    assert modern.dropped() == {Reason.IS_CLUSTER_IP: 1, Reason.NOT_IN_SRC_RANGE: 1}


def test_echo_reply_is_for_no_port(rig: Rig) -> None:
    """Its identifier is none, even where an entry serves a port of any protocol."""
    rig.service(VIP, 80, [Backend(POD, 8080)], proto=0)
    sent = FROM_ROUTER / IP(src=CLIENT, dst=VIP) / ICMP(type=0, id=80, seq=1)
    out = rig.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))
