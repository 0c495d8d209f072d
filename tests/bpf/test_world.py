"""Pods and the world outside of the cluster: whose address a packet has, each way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, IP, TCP

from lab.bpf import tables as t
from lab.bpf.codes import Reason, TraceReason

from .family import BOTH, Family
from .node import (
    CLIENT,
    CONFIG,
    NODE,
    NODE2,
    POD,
    POD_MAC,
    VETH_MAC,
)
from .packets import (
    FROM_POD,
    FROM_ROUTER,
    PORT,
    TO_POD,
    ping,
    reply,
    request,
    same,
    segment,
)
from .rig import OK, REDIRECT, SHOT, Rig

CLUSTER_IP = "10.96.0.10"


def test_pod_to_world_is_masqueraded_and_gets_its_answer(rig: Rig) -> None:
    sent = segment(POD, CLIENT)
    out = rig.run("from_container", sent)
    assert out.verdict == OK, "the routing table sends it to the uplink"
    same(out.frame, sent)
    left = rig.run("to_netdev", sent)
    same(left.frame, FROM_POD / IP(src=NODE, dst=CLIENT) / TCP(sport=PORT, dport=80, flags="S"))
    back = rig.run("from_netdev", request(CLIENT, NODE, sport=80, dport=PORT, flags="SA"))
    assert back.verdict == REDIRECT
    same(
        back.frame, TO_POD / IP(src=CLIENT, dst=POD, ttl=63) / TCP(sport=80, dport=PORT, flags="SA")
    )
    assert [event.reason for event in rig.events()] == [TraceReason.NEW, TraceReason.REPLY]


def test_a_masqueraded_flow_whose_connection_was_forgotten_goes_on(rig: Rig) -> None:
    """Evicted, or flushed by hand: the world's next packet is not the first of a connection to the
    pod. The pod's packets left with its own address from then on, also those of new connections.
    """
    for sent in (segment(POD, CLIENT), segment(POD, CLIENT, flags="A")):
        rig.run("from_container", sent)
        assert rig.run("to_netdev", sent).frame[IP].src == NODE
    for key, _ in list(rig.map(t.CT_TCP).items()):
        rig.map(t.CT_TCP).delete(key)
    back = rig.run("from_netdev", request(CLIENT, NODE, sport=80, dport=PORT, flags="A"))
    assert (back.verdict, back.frame[IP].dst) == (REDIRECT, POD)
    for key, _ in list(rig.map(t.SNAT).items()):
        rig.map(t.SNAT).delete(key)
    for flags in ("A", "FA", "S"):
        sent = segment(POD, CLIENT, flags=flags)
        rig.run("from_container", sent)
        assert rig.run("to_netdev", sent).frame[IP].src == NODE


@BOTH
def test_masquerade_moves_a_low_port_into_the_range(dual: Rig, family: Family) -> None:
    left = dual.run("to_netdev", segment(family.pod, family.client, sport=1234))
    assert left.ends[0] == family.node and left.frame[TCP].sport >= 32768


def test_pod_pings_the_world(rig: Rig) -> None:
    sent = FROM_POD / IP(src=POD, dst=CLIENT) / ICMP(id=40000, seq=1) / b"ping"
    rig.run("from_container", sent)
    left = rig.run("to_netdev", sent)
    assert (left.frame[IP].src, left.frame[ICMP].id) == (NODE, 40000)
    answer = FROM_ROUTER / IP(src=CLIENT, dst=NODE) / ICMP(type=0, id=40000, seq=1) / b"ping"
    back = rig.run("from_netdev", answer)
    same(
        back.frame,
        TO_POD / IP(src=CLIENT, dst=POD, ttl=63) / ICMP(type=0, id=40000, seq=1) / b"ping",
    )


def test_icmp_that_opens_no_flow_is_not_masqueraded(rig: Rig) -> None:
    """A redirect has a gateway's address where an echo has its identifier; an echo reply that
    answers nothing known has nowhere to come back from.
    """
    for icmp in (ICMP(type=5, code=1, gw="10.0.1.9"), ICMP(type=0, id=7, seq=1)):
        sent = FROM_POD / IP(src=POD, dst=CLIENT) / icmp
        assert rig.run("to_netdev", sent).verdict == SHOT
    assert rig.dropped() == {Reason.NAT_UNSUPPORTED_PROTO: 2}


@BOTH
def test_traffic_between_nodes_and_inside_the_cluster_keeps_its_source(
    dual: Rig, family: Family
) -> None:
    for sent in (
        segment(family.pod, family.remote_pod),
        segment(family.node, family.client),
        segment(family.node2, family.gateway),
    ):
        out = dual.run("to_netdev", sent)
        assert out.verdict == OK
        same(out.frame, sent)


@pytest.mark.parametrize(("tunnel", "source"), [(True, NODE), (False, POD)])
def test_a_pod_borrows_an_address_towards_other_nodes_where_pods_are_in_a_tunnel(
    make_rig: Callable[..., Rig], tunnel: bool, source: str
) -> None:
    """Without one, all nodes have routes to it, and know it by its own."""
    rig = make_rig(replace(CONFIG, tunnel=tunnel))
    assert rig.run("to_netdev", segment(POD, NODE2)).frame[IP].src == source
    assert rig.run("to_netdev", segment(POD, CLIENT)).frame[IP].src == NODE


@BOTH
def test_world_to_pod_is_delivered(dual: Rig, family: Family) -> None:
    out = dual.run("from_netdev", request(family.client, family.pod))
    assert out.verdict == REDIRECT
    assert (out.frame.src, out.frame.dst) == (VETH_MAC, POD_MAC)


@BOTH
def test_reply_to_who_came_to_the_pod_keeps_the_pods_address(dual: Rig, family: Family) -> None:
    """Masqueraded it would be an answer from a stranger."""
    pong = ping(family.pod, family.client, kind="echo-reply")
    pairs = (
        (request(family.client, family.pod), reply(family.pod, family.client)),
        (ping(family.client, family.pod), FROM_POD / pong.payload),
    )
    for asked, sent in pairs:
        dual.run("from_netdev", asked)
        assert dual.run("from_container", sent).verdict == OK
        out = dual.run("to_netdev", sent)
        assert out.verdict == OK
        same(out.frame, sent)
