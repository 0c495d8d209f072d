"""What pods send: to pods, services, the world, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import ARP, Ether

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import CtFlag, ObsPoint, Reason, TraceReason, TupleFlag

from .family import BOTH, Family
from .node import (
    CLIENT,
    CONFIG,
    NODE,
    NODE2,
    POD,
    POD2,
    POD2_ID,
    POD_ID,
    POD_LABEL,
    POD_MAC,
    REMOTE_POD,
    ROUTER,
    VETH_MAC,
)
from .packets import FROM_POD, FROM_ROUTER, PORT, TO_POD, ip, ping, reply, request, same
from .rig import OK, REDIRECT, SHOT, Backend, Rig

CLUSTER_IP = "10.96.0.10"


def segment(src: str, dst: str, *, sport: int = PORT, dport: int = 80, flags: str = "S") -> Any:
    """What a pod sends."""
    return FROM_POD / ip(src, dst) / TCP(sport=sport, dport=dport, flags=flags)


@BOTH
def test_pod_to_pod_on_the_node(dual: Rig, family: Family) -> None:
    out = dual.run("from_container", segment(family.pod, family.pod2))
    assert out.verdict == REDIRECT
    same(out.frame, TO_POD / ip(family.pod, family.pod2, 63) / TCP(sport=PORT, dport=80, flags="S"))
    (event,) = dual.events()
    assert (event.subtype, event.dst_id, event.src_label) == (
        ObsPoint.TO_ENDPOINT,
        POD2_ID,
        POD_LABEL,
    )


@BOTH
def test_pod_to_pod_on_another_node_through_the_tunnel(dual: Rig, family: Family) -> None:
    sent = segment(family.pod, family.remote_pod)
    out = dual.run("from_container", sent)
    assert out.verdict == REDIRECT
    same(out.frame, sent)
    (event,) = dual.events()
    assert (event.subtype, event.source) == (ObsPoint.TO_OVERLAY, POD_ID)


@BOTH
def test_pod_with_a_foreign_source_is_refused(dual: Rig, family: Family) -> None:
    for address in (family.near(family.pod, 70), family.remote_pod, family.node, family.client):
        assert dual.run("from_container", segment(address, family.pod2)).verdict == SHOT
    assert dual.dropped() == {Reason.INVALID_SIP: 4}


@BOTH
def test_pod_to_cluster_ip_and_back(dual: Rig, family: Family) -> None:
    dual.service(family.cluster_ip, 80, [Backend(family.pod2, 8080)], flags=0)
    out = dual.run("from_container", segment(family.pod, family.cluster_ip))
    same(
        out.frame, TO_POD / ip(family.pod, family.pod2, 63) / TCP(sport=PORT, dport=8080, flags="S")
    )
    back = dual.run("from_container", reply(family.pod2, family.pod, sport=8080))
    same(
        back.frame,
        TO_POD / ip(family.cluster_ip, family.pod, 63) / TCP(sport=80, dport=PORT, flags="SA"),
    )


@BOTH
def test_pod_to_cluster_ip_with_a_remote_backend_keeps_its_address(
    dual: Rig, family: Family
) -> None:
    dual.service(family.cluster_ip, 80, [Backend(family.remote_pod)], flags=0)
    out = dual.run("from_container", segment(family.pod, family.cluster_ip))
    same(
        out.frame,
        FROM_POD / ip(family.pod, family.remote_pod) / TCP(sport=PORT, dport=80, flags="S"),
    )
    back = dual.run("to_container", reply(family.remote_pod, family.pod))
    assert back.verdict == OK
    same(
        back.frame,
        FROM_POD / ip(family.cluster_ip, family.pod) / TCP(sport=80, dport=PORT, flags="SA"),
    )


@BOTH
def test_pod_reaches_itself_through_its_service(dual: Rig, family: Family) -> None:
    dual.service(family.cluster_ip, 80, [Backend(family.pod)], flags=0)
    out = dual.run("from_container", segment(family.pod, family.cluster_ip))
    assert out.verdict == REDIRECT
    same(
        out.frame,
        TO_POD / ip(family.loopback, family.pod, 63) / TCP(sport=PORT, dport=80, flags="S"),
    )
    back = dual.run("from_container", reply(family.pod, family.loopback))
    assert back.verdict == REDIRECT
    same(
        back.frame,
        TO_POD / ip(family.cluster_ip, family.pod, 63) / TCP(sport=80, dport=PORT, flags="SA"),
    )
    flags = {
        key.flags: value.flags & CtFlag.LB_LOOPBACK
        for key, value in dual.map(family.ct_tcp).items()
    }
    assert flags[TupleFlag.OUT] and flags[TupleFlag.IN]


@BOTH
def test_hairpin_goes_on_in_both_directions(dual: Rig, family: Family) -> None:
    dual.service(family.cluster_ip, 80, [Backend(family.pod)], flags=0)
    for _ in range(3):
        there = dual.run("from_container", segment(family.pod, family.cluster_ip, flags="A"))
        assert there.ends[0] == family.loopback
        back = dual.run("from_container", reply(family.pod, family.loopback, flags="A"))
        assert (back.ends[0], back.ends[1]) == (family.cluster_ip, family.pod)


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


def test_gateway_answers_arp_for_itself_only(rig: Rig) -> None:
    ask: Any = Ether(src=POD_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(
        hwsrc=POD_MAC, psrc=POD, pdst=ROUTER
    )
    out = rig.run("from_container", ask)
    assert out.verdict == REDIRECT
    answer = out.frame[ARP]
    assert (answer.op, answer.hwsrc, answer.psrc, answer.hwdst, answer.pdst) == (
        2,
        VETH_MAC,
        ROUTER,
        POD_MAC,
        POD,
    )
    ask[ARP].pdst = POD2
    assert rig.run("from_container", ask).verdict == OK


def test_tunnel_without_metadata_is_refused_both_ways(rig: Rig) -> None:
    assert rig.run("from_overlay", request(ROUTER, POD)).verdict == SHOT
    assert rig.run("to_overlay", request(ROUTER, REMOTE_POD)).verdict == SHOT
    assert rig.dropped() == {Reason.NO_TUNNEL_KEY: 1, Reason.NO_TUNNEL_ENDPOINT: 1}


def test_entry_of_the_pods_side_names_its_opener(rig: Rig) -> None:
    rig.run("from_container", segment(POD, POD2))
    opened = s.ipv4_ct_tuple(
        daddr=0x0A000105, saddr=0x0A000106, sport=PORT, dport=80, nexthdr=6, flags=TupleFlag.IN
    )
    assert rig.map(t.CT_TCP).lookup(opened).src_sec_id == POD_LABEL


def test_arp_with_a_foreign_address_is_a_counted_drop(rig: Rig) -> None:
    ask: Any = Ether(src=POD_MAC, dst="ff:ff:ff:ff:ff:ff")
    ask /= ARP(hwsrc=POD_MAC, psrc=REMOTE_POD, pdst=ROUTER)
    assert rig.run("from_container", ask).verdict == SHOT
    assert rig.dropped() == {Reason.INVALID_SIP: 1}


def told(event: Any) -> str:
    """The address that an event has of its own beside the packet's."""
    return str(ip_address(bytes(event.orig_ip)[: 16 if event.flags & 1 else 4]))


@BOTH
def test_reply_of_a_service_tells_whose_it_was(dual: Rig, family: Family) -> None:
    """The packet has the service's address by then; the event names the backend's as well."""
    dual.service(family.cluster_ip, 80, [Backend(family.pod2, 8080)], flags=0)
    dual.run("from_container", segment(family.pod, family.cluster_ip))
    dual.run("from_container", reply(family.pod2, family.pod, sport=8080))
    there, back = dual.events()
    assert [told(event) for event in (there, back)] == [family.pod, family.pod2]
    assert (there.src_label, back.src_label) == (POD_LABEL, POD_LABEL)


@BOTH
def test_pod_that_reaches_itself_is_known_by_its_label(dual: Rig, family: Family) -> None:
    """Not by that of the address in between, which belongs to nobody."""
    dual.service(family.cluster_ip, 80, [Backend(family.pod)], flags=0)
    dual.run("from_container", segment(family.pod, family.cluster_ip))
    dual.run("from_container", reply(family.pod, family.loopback))
    labels = [(event.src_label, event.dst_label) for event in dual.events()]
    assert labels == [(POD_LABEL, POD_LABEL)] * 2
    assert {value.src_sec_id for _, value in dual.map(family.ct_tcp).items()} == {0, POD_LABEL}
