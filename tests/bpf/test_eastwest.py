"""What pods and the node itself send: to pods, services, the world, and back."""

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
from lab.bpf.codes import CtFlag, Identity, ObsPoint, Reason, TraceReason, TupleFlag

from .node import (
    CLIENT,
    CONFIG,
    GATEWAY,
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
from .packets import FROM_POD, FROM_ROUTER, PORT, TO_POD, reply, request, same
from .rig import OK, REDIRECT, SHOT, Backend, Rig

CLUSTER_IP = "10.96.0.10"


def segment(
    dst: str, *, src: str = POD, sport: int = PORT, dport: int = 80, flags: str = "S"
) -> Any:
    """What a pod sends."""
    return FROM_POD / IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, flags=flags)


def test_pod_to_pod_on_the_node(rig: Rig) -> None:
    out = rig.run("from_container", segment(POD2))
    assert out.verdict == REDIRECT
    same(out.frame, TO_POD / IP(src=POD, dst=POD2, ttl=63) / TCP(sport=PORT, dport=80, flags="S"))
    (event,) = rig.events()
    assert (event.subtype, event.dst_id, event.src_label) == (
        ObsPoint.TO_ENDPOINT,
        POD2_ID,
        POD_LABEL,
    )


def test_pod_to_pod_on_another_node_through_the_tunnel(rig: Rig) -> None:
    sent = segment(REMOTE_POD)
    out = rig.run("from_container", sent)
    assert out.verdict == REDIRECT
    same(out.frame, sent)
    (event,) = rig.events()
    assert (event.subtype, event.source) == (ObsPoint.TO_OVERLAY, POD_ID)


def test_pod_with_a_foreign_source_is_refused(rig: Rig) -> None:
    for address in ("10.0.1.77", REMOTE_POD, NODE, CLIENT):
        assert rig.run("from_container", segment(POD2, src=address)).verdict == SHOT
    assert rig.dropped() == {Reason.INVALID_SIP: 4}


def test_pod_to_cluster_ip_and_back(rig: Rig) -> None:
    rig.service(CLUSTER_IP, 80, [Backend(POD2, 8080)], flags=0)
    out = rig.run("from_container", segment(CLUSTER_IP))
    same(out.frame, TO_POD / IP(src=POD, dst=POD2, ttl=63) / TCP(sport=PORT, dport=8080, flags="S"))
    back = rig.run("from_container", reply(POD2, POD, sport=8080))
    same(
        back.frame,
        TO_POD / IP(src=CLUSTER_IP, dst=POD, ttl=63) / TCP(sport=80, dport=PORT, flags="SA"),
    )


def test_pod_to_cluster_ip_with_a_remote_backend_keeps_its_address(rig: Rig) -> None:
    rig.service(CLUSTER_IP, 80, [Backend(REMOTE_POD)], flags=0)
    out = rig.run("from_container", segment(CLUSTER_IP))
    same(out.frame, FROM_POD / IP(src=POD, dst=REMOTE_POD) / TCP(sport=PORT, dport=80, flags="S"))
    back = rig.run("to_container", reply(REMOTE_POD, POD))
    assert back.verdict == OK
    same(back.frame, FROM_POD / IP(src=CLUSTER_IP, dst=POD) / TCP(sport=80, dport=PORT, flags="SA"))


def test_pod_reaches_itself_through_its_service(rig: Rig) -> None:
    rig.service(CLUSTER_IP, 80, [Backend(POD)], flags=0)
    out = rig.run("from_container", segment(CLUSTER_IP))
    assert out.verdict == REDIRECT
    same(
        out.frame,
        TO_POD / IP(src="169.254.42.1", dst=POD, ttl=63) / TCP(sport=PORT, dport=80, flags="S"),
    )
    back = rig.run("from_container", reply(POD, "169.254.42.1"))
    assert back.verdict == REDIRECT
    same(
        back.frame,
        TO_POD / IP(src=CLUSTER_IP, dst=POD, ttl=63) / TCP(sport=80, dport=PORT, flags="SA"),
    )
    flags = {
        key.flags: value.flags & CtFlag.LB_LOOPBACK for key, value in rig.map(t.CT_TCP).items()
    }
    assert flags[TupleFlag.OUT] and flags[TupleFlag.IN]


def test_hairpin_goes_on_in_both_directions(rig: Rig) -> None:
    rig.service(CLUSTER_IP, 80, [Backend(POD)], flags=0)
    for _ in range(3):
        there = rig.run("from_container", segment(CLUSTER_IP, flags="A"))
        assert there.frame[IP].src == "169.254.42.1"
        back = rig.run("from_container", reply(POD, "169.254.42.1", flags="A"))
        assert (back.frame[IP].src, back.frame[IP].dst) == (CLUSTER_IP, POD)


def test_pod_to_world_is_masqueraded_and_gets_its_answer(rig: Rig) -> None:
    sent = segment(CLIENT)
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
    for sent in (segment(CLIENT), segment(CLIENT, flags="A")):
        rig.run("from_container", sent)
        assert rig.run("to_netdev", sent).frame[IP].src == NODE
    for key, _ in list(rig.map(t.CT_TCP).items()):
        rig.map(t.CT_TCP).delete(key)
    back = rig.run("from_netdev", request(CLIENT, NODE, sport=80, dport=PORT, flags="A"))
    assert (back.verdict, back.frame[IP].dst) == (REDIRECT, POD)
    for key, _ in list(rig.map(t.SNAT).items()):
        rig.map(t.SNAT).delete(key)
    for flags in ("A", "FA", "S"):
        sent = segment(CLIENT, flags=flags)
        rig.run("from_container", sent)
        assert rig.run("to_netdev", sent).frame[IP].src == NODE


def test_masquerade_moves_a_low_port_into_the_range(rig: Rig) -> None:
    left = rig.run("to_netdev", segment(CLIENT, sport=1234))
    assert left.frame[IP].src == NODE and left.frame[TCP].sport >= 32768


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


def test_traffic_between_nodes_and_inside_the_cluster_keeps_its_source(rig: Rig) -> None:
    for sent in (segment(REMOTE_POD), segment(CLIENT, src=NODE), segment(GATEWAY, src=NODE2)):
        out = rig.run("to_netdev", sent)
        assert out.verdict == OK
        same(out.frame, sent)


@pytest.mark.parametrize(("tunnel", "source"), [(True, NODE), (False, POD)])
def test_a_pod_borrows_an_address_towards_other_nodes_where_pods_are_in_a_tunnel(
    make_rig: Callable[..., Rig], tunnel: bool, source: str
) -> None:
    """Without one, all nodes have routes to it, and know it by its own."""
    rig = make_rig(replace(CONFIG, tunnel=tunnel))
    assert rig.run("to_netdev", segment(NODE2)).frame[IP].src == source
    assert rig.run("to_netdev", segment(CLIENT)).frame[IP].src == NODE


def test_world_to_pod_is_delivered(rig: Rig) -> None:
    out = rig.run("from_netdev", request(dst=POD))
    assert out.verdict == REDIRECT
    assert (out.frame.src, out.frame.dst) == (VETH_MAC, POD_MAC)


def test_reply_to_who_came_to_the_pod_keeps_the_pods_address(rig: Rig) -> None:
    """Masqueraded it would be an answer from a stranger."""
    ping = IP(src=CLIENT, dst=POD) / ICMP(id=7, seq=1)
    pong = FROM_POD / IP(src=POD, dst=CLIENT) / ICMP(type=0, id=7, seq=1)
    for asked, sent in ((request(dst=POD), reply(POD, CLIENT)), (FROM_ROUTER / ping, pong)):
        rig.run("from_netdev", asked)
        assert rig.run("from_container", sent).verdict == OK
        out = rig.run("to_netdev", sent)
        assert out.verdict == OK
        same(out.frame, sent)


def test_reply_to_the_nodes_own_probe_goes_to_the_stack(rig: Rig) -> None:
    rig.run("to_container", request(ROUTER, POD, sport=48278))
    out = rig.run("from_container", reply(POD, ROUTER, dport=48278))
    assert out.verdict == OK
    first, second = rig.events()
    assert (first.subtype, first.src_label) == (ObsPoint.TO_ENDPOINT, Identity.HOST)
    assert (second.subtype, second.reason, second.dst_label) == (
        ObsPoint.TO_STACK,
        TraceReason.REPLY,
        Identity.HOST,
    )


def test_node_to_cluster_ip_packet_by_packet(rig: Rig) -> None:
    rig.service(CLUSTER_IP, 80, [Backend(POD)], flags=0)
    out = rig.run("from_host", request(ROUTER, CLUSTER_IP))
    assert out.verdict == REDIRECT
    assert (out.frame[IP].dst, out.frame.dst) == (POD, POD_MAC)
    rig.run("to_container", out.packet)
    back = rig.run("from_container", reply(POD, ROUTER))
    assert back.verdict == OK
    same(
        back.frame,
        FROM_POD / IP(src=CLUSTER_IP, dst=ROUTER) / TCP(sport=80, dport=PORT, flags="SA"),
    )


def test_node_to_remote_pod_through_the_tunnel(rig: Rig) -> None:
    assert rig.run("from_host", request(ROUTER, REMOTE_POD)).verdict == REDIRECT
    (event,) = rig.events()
    assert (event.subtype, event.src_label) == (ObsPoint.TO_OVERLAY, Identity.HOST)


def test_node_to_unknown_pod_is_a_drop(rig: Rig) -> None:
    assert rig.run("from_host", request(ROUTER, "10.0.9.9")).verdict == SHOT
    assert rig.dropped() == {Reason.UNROUTABLE: 1}


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
    rig.run("from_container", segment(POD2))
    opened = s.ipv4_ct_tuple(
        daddr=0x0A000105, saddr=0x0A000106, sport=PORT, dport=80, nexthdr=6, flags=TupleFlag.IN
    )
    assert rig.map(t.CT_TCP).lookup(opened).src_sec_id == POD_LABEL


def test_arp_with_a_foreign_address_is_a_counted_drop(rig: Rig) -> None:
    ask: Any = Ether(src=POD_MAC, dst="ff:ff:ff:ff:ff:ff")
    ask /= ARP(hwsrc=POD_MAC, psrc=REMOTE_POD, pdst=ROUTER)
    assert rig.run("from_container", ask).verdict == SHOT
    assert rig.dropped() == {Reason.INVALID_SIP: 1}


def test_reply_of_a_service_tells_whose_it_was(rig: Rig) -> None:
    """The packet has the service's address by then; the event names the backend's as well."""
    rig.service(CLUSTER_IP, 80, [Backend(POD2, 8080)], flags=0)
    rig.run("from_container", segment(CLUSTER_IP))
    rig.run("from_container", reply(POD2, POD, sport=8080))
    there, back = rig.events()
    assert [str(ip_address(bytes(event.orig_ip)[:4])) for event in (there, back)] == [POD, POD2]
    assert (there.src_label, back.src_label) == (POD_LABEL, POD_LABEL)


def test_pod_that_reaches_itself_is_known_by_its_label(rig: Rig) -> None:
    """Not by that of the address in between, which belongs to nobody."""
    rig.service(CLUSTER_IP, 80, [Backend(POD)], flags=0)
    rig.run("from_container", segment(CLUSTER_IP))
    rig.run("from_container", reply(POD, "169.254.42.1"))
    labels = [(event.src_label, event.dst_label) for event in rig.events()]
    assert labels == [(POD_LABEL, POD_LABEL)] * 2
    assert {value.src_sec_id for _, value in rig.map(t.CT_TCP).items()} == {0, POD_LABEL}
