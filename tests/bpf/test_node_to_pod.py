"""What the node itself sends to pods and services, and the answers."""

from __future__ import annotations

from scapy.layers.inet import TCP

from lab.bpf.codes import Identity, ObsPoint, Reason, TraceReason

from .family import BOTH, Family
from .node import POD_MAC
from .packets import FROM_POD, PORT, ip, reply, request, same
from .rig import OK, REDIRECT, SHOT, Backend, Rig

CLUSTER_IP = "10.96.0.10"


@BOTH
def test_reply_to_the_nodes_own_probe_goes_to_the_stack(dual: Rig, family: Family) -> None:
    dual.run("to_container", request(family.router, family.pod, sport=48278))
    out = dual.run("from_container", reply(family.pod, family.router, dport=48278))
    assert out.verdict == OK
    first, second = dual.events()
    assert (first.subtype, first.src_label) == (ObsPoint.TO_ENDPOINT, Identity.HOST)
    assert (second.subtype, second.reason, second.dst_label) == (
        ObsPoint.TO_STACK,
        TraceReason.REPLY,
        Identity.HOST,
    )


@BOTH
def test_node_to_cluster_ip_packet_by_packet(dual: Rig, family: Family) -> None:
    dual.service(family.cluster_ip, 80, [Backend(family.pod)], flags=0)
    out = dual.run("from_host", request(family.router, family.cluster_ip))
    assert out.verdict == REDIRECT
    assert (out.ends[1], out.frame.dst) == (family.pod, POD_MAC)
    dual.run("to_container", out.packet)
    back = dual.run("from_container", reply(family.pod, family.router))
    assert back.verdict == OK
    same(
        back.frame,
        FROM_POD / ip(family.cluster_ip, family.router) / TCP(sport=80, dport=PORT, flags="SA"),
    )


@BOTH
def test_node_to_remote_pod_through_the_tunnel(dual: Rig, family: Family) -> None:
    assert dual.run("from_host", request(family.router, family.remote_pod)).verdict == REDIRECT
    (event,) = dual.events()
    assert (event.subtype, event.src_label) == (ObsPoint.TO_OVERLAY, Identity.HOST)


@BOTH
def test_node_to_unknown_pod_is_a_drop(dual: Rig, family: Family) -> None:
    assert (
        dual.run("from_host", request(family.router, family.near(family.pod, 90))).verdict == SHOT
    )
    assert dual.dropped() == {Reason.UNROUTABLE: 1}
