"""What pods send: to pods, services, the world, and back."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from scapy.layers.inet import TCP
from scapy.layers.l2 import ARP, Ether

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import CtFlag, ObsPoint, Reason, TupleFlag

from .family import BOTH, Family
from .node import (
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
from .packets import (
    FROM_POD,
    PORT,
    TO_POD,
    ip,
    reply,
    request,
    same,
    segment,
)
from .rig import OK, REDIRECT, SHOT, Backend, Rig

CLUSTER_IP = "10.96.0.10"


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
    index = dual.service(family.cluster_ip, 80, [Backend(family.pod2, 8080)], flags=0)
    out = dual.run("from_container", segment(family.pod, family.cluster_ip))
    same(
        out.frame, TO_POD / ip(family.pod, family.pod2, 63) / TCP(sport=PORT, dport=8080, flags="S")
    )
    entries = {key.flags: entry for key, entry in dual.map(family.ct_tcp).items()}
    assert entries[TupleFlag.OUT].rev_nat_index == index, "the pod that asked knows the service"
    assert entries[TupleFlag.IN].rev_nat_index == 0, "the one that is asked does not"
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
    told = FROM_POD / ARP(op=2, hwsrc=POD_MAC, psrc=POD, hwdst=VETH_MAC, pdst=ROUTER)
    assert rig.run("from_container", told).verdict == OK, "an answer is not answered"


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
