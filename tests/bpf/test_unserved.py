"""What comes from outside and is for no service, or for one that nobody outside may use."""

from __future__ import annotations

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from lab.bpf.codes import Reason

from .family import BOTH, Family
from .node import GATEWAY_MAC, NODE, NODE2, POD, REMOTE_POD, VIP
from .packets import FROM_ROUTER, datagram, ping, portless, request, same
from .rig import OK, REDIRECT, SHOT, Backend, Rig


@BOTH
def test_unlisted_port_goes_to_the_stack_in_1_10(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod)])
    for sent in (request(family.client, family.vip, dport=81), ping(family.client, family.vip)):
        out = dual.run("from_netdev", sent)
        assert out.verdict == OK
        same(out.frame, sent)
    assert dual.events() == []


@BOTH
def test_unlisted_port_is_dropped_in_modern(modern: Rig, family: Family) -> None:
    modern.service(family.vip, 80, [Backend(family.pod)])
    modern.service(family.vip, 0, [], proto=0)
    for sent in (
        request(family.client, family.vip, dport=81),
        datagram(family.client, family.vip),
        ping(family.client, family.vip),
    ):
        assert modern.run("from_netdev", sent).verdict == SHOT
    assert [event.subtype for event in modern.events()] == [Reason.NO_SERVICE] * 3
    assert modern.dropped() == {Reason.NO_SERVICE: 3}
    assert modern.run("from_netdev", request(family.client, family.vip)).verdict == REDIRECT, (
        "the listed port still works"
    )


@BOTH
def test_protocol_without_ports_is_dropped_in_modern(modern: Rig, family: Family) -> None:
    modern.service(family.vip, 80, [Backend(family.pod)])
    modern.service(family.vip, 0, [], proto=0)
    sent = portless(family.client, family.vip)
    assert modern.run("from_netdev", sent).verdict == SHOT
    assert modern.dropped() == {Reason.NO_SERVICE: 1}


@BOTH
def test_cluster_ip_is_refused_outside(dual: Rig, family: Family) -> None:
    dual.service(family.cluster_ip, 80, [Backend(family.pod)], flags=0)
    assert dual.run("from_netdev", request(family.client, family.cluster_ip)).verdict == SHOT
    assert dual.dropped() == {Reason.IS_CLUSTER_IP: 1}


@BOTH
def test_service_without_backends_in_1_10_goes_to_the_stack(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [])
    assert dual.run("from_netdev", request(family.client, family.vip)).verdict == OK


def test_no_service_takes_the_tunnels_packets(rig: Rig) -> None:
    """Not even one that claims the node's own address as an external one."""
    rig.service(NODE, 8472, [Backend(POD)], proto=17)
    outer = FROM_ROUTER / IP(src=NODE2, dst=NODE) / UDP(sport=45000, dport=8472, chksum=0)
    assert rig.run("from_netdev", outer / VXLAN(vni=6, flags=8) / request()).verdict == OK


@BOTH
def test_a_service_may_have_the_tunnels_port(dual: Rig, family: Family) -> None:
    """At an address of its own nobody takes its packets for a tunnel's."""
    dual.service(family.vip, 8472, [Backend(family.pod, 53)], proto=17)
    out = dual.run("from_netdev", datagram(family.client, family.vip, dport=8472))
    assert (out.verdict, out.ends[1]) == (REDIRECT, family.pod)


def test_frame_for_another_machine_is_left_alone(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    flooded = Ether(src=GATEWAY_MAC, dst="02:00:00:00:00:77") / request().payload
    out = rig.run("from_netdev", flooded)
    assert out.verdict == OK
    assert out.packet == bytes(flooded)
