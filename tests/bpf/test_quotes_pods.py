"""ICMP errors that a pod sends, or that are about what it sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.layers.l2 import Ether

from lab.bpf import tables as t
from lab.bpf.codes import TupleFlag

from . import errors
from .errors import NO_PORT
from .family import BOTH, Family
from .node import DUAL, NODE, POD, POD_6, REMOTE_POD
from .packets import FROM_POD, PORT, datagram, ip, network, same
from .quotes import WHOLE, ended, quote_of, unreachable
from .rig import OK, REDIRECT, SHOT, Backend, Rig


@BOTH
def test_error_of_a_backend_in_the_nodes_namespace_comes_from_the_vip(
    dual: Rig, family: Family
) -> None:
    dual.service(family.vip, 53, [Backend(family.node, 5353)], proto=17)
    sent = datagram(family.client, family.vip)
    met = dual.run("from_netdev", sent).frame
    assert met[1].dst == family.node
    out = dual.run("to_netdev", FROM_POD / errors.error(met, family.node, NO_PORT, WHOLE))
    assert (out.verdict, out.ends) == (OK, (family.vip, family.client))
    assert quote_of(out) == network(Ether(bytes(sent)))


@BOTH
def test_pods_error_about_a_visitor_keeps_its_address(dual: Rig, family: Family) -> None:
    """Who came to the pod by its own address knows no other."""
    met = dual.run("from_netdev", datagram(family.client, family.pod)).frame
    sent = FROM_POD / errors.error(met, family.pod, NO_PORT, WHOLE)
    for program in ("from_container", "to_netdev"):
        out = dual.run(program, sent)
        assert out.verdict == OK
        same(out.frame, Ether(bytes(sent)))


@BOTH
def test_pods_error_about_nothing_known_does_not_leave(dual: Rig, family: Family) -> None:
    sent = FROM_POD / errors.error(datagram(family.client, family.pod), family.pod, NO_PORT, WHOLE)
    assert dual.run("to_netdev", sent).verdict == SHOT


@BOTH
def test_pods_error_about_a_late_answer_borrows_the_nodes_address_last(
    dual: Rig, family: Family
) -> None:
    """The stack lets no packet with an address of its own in: the uplink lends it."""
    asked = FROM_POD / ip(family.pod, family.client) / UDP(sport=PORT, dport=53) / b"q"
    dual.run("from_container", asked)
    assert dual.run("to_netdev", asked).ends[0] == family.node
    late = datagram(family.client, family.node, sport=53, dport=PORT, data=b"answer")
    met = dual.run("from_netdev", late).frame
    sent = FROM_POD / errors.error(met, family.pod, NO_PORT, WHOLE)
    passed = dual.run("from_container", sent)
    assert passed.verdict == OK
    same(passed.frame, Ether(bytes(sent)))
    out = dual.run("to_netdev", sent)
    assert (out.verdict, out.ends) == (OK, (family.node, family.client))
    assert ended(quote_of(out)) == ended(network(Ether(bytes(late))))


def test_pods_error_about_its_own_question_comes_back_to_it(make_rig: Callable[..., Rig]) -> None:
    """Through its service a pod asked itself, where nobody listens: both addresses are turned."""
    rig = make_rig(DUAL)
    rig.service("10.96.0.10", 53, [Backend(POD, 5353)], proto=17, flags=0)
    rig.service("fd00:96::10", 53, [Backend(POD_6, 5353)], proto=17, flags=0)
    question = UDP(sport=PORT, dport=53) / b"q"
    asked: Any = FROM_POD / IP(src=POD, dst="10.96.0.10") / question
    met = rig.run("from_container", asked).frame
    out = rig.run("from_container", FROM_POD / unreachable(met, POD, met[IP].src, code=3))
    assert (out.verdict, out.frame[IP].src, out.frame[IP].dst) == (REDIRECT, "10.96.0.10", POD)
    got, wanted = quote_of(out), bytes(Ether(bytes(asked))[IP])
    assert got[12:] == wanted[12:]
    asked = FROM_POD / IPv6(src=POD_6, dst="fd00:96::10") / question
    met = rig.run("from_container", asked).frame
    told = FROM_POD / IPv6(src=POD_6, dst=met[IPv6].src) / ICMPv6DestUnreach(code=4)
    out = rig.run("from_container", told / bytes(met[IPv6]))
    assert (out.verdict, out.frame[IPv6].src, out.frame[IPv6].dst) == (
        REDIRECT,
        "fd00:96::10",
        POD_6,
    )
    assert quote_of(out)[8:] == bytes(Ether(bytes(asked))[IPv6])[8:]


@BOTH
def test_pods_error_about_its_own_answer_comes_back_to_it(dual: Rig, family: Family) -> None:
    """It asked itself through its service, and no longer waits for the answer."""
    dual.service(family.cluster_ip, 53, [Backend(family.pod, 5353)], proto=17, flags=0)
    asked = FROM_POD / ip(family.pod, family.cluster_ip) / UDP(sport=PORT, dport=53) / b"q"
    other = dual.run("from_container", asked).ends[0]
    answer: Any = FROM_POD / ip(family.pod, other) / UDP(sport=5353, dport=PORT) / b"a"
    met = dual.run("from_container", answer).frame
    out = dual.run("from_container", FROM_POD / errors.error(met, family.pod, NO_PORT, WHOLE))
    assert (out.verdict, out.ends) == (REDIRECT, (other, family.pod))
    assert ended(quote_of(out)) == ended(network(Ether(bytes(answer))))


def test_error_of_the_node_about_a_pods_question_comes_from_the_service(rig: Rig) -> None:
    """Nobody listens in the node's namespace, or a link from there is too small."""
    for backend in (NODE, REMOTE_POD):
        rig.service("10.96.0.10", 53, [Backend(backend, 5353)], proto=17, flags=0)
        asked: Any = FROM_POD / IP(src=POD, dst="10.96.0.10") / UDP(sport=PORT, dport=53) / b"q"
        met = rig.run("from_container", asked).frame
        assert met[IP].dst == backend
        rig.map(t.CT_ANY).delete(
            next(key for key, _ in rig.map(t.CT_ANY).items() if key.flags == TupleFlag.SERVICE)
        )
        out = rig.run("to_container", FROM_POD / unreachable(met, NODE, POD, code=3))
        source = "10.96.0.10" if backend == NODE else NODE
        assert (out.verdict, out.frame[IP].src, out.frame[IP].dst) == (OK, source, POD)
        assert quote_of(out) == bytes(Ether(bytes(asked))[IP])


@BOTH
def test_pods_error_with_the_nodes_address_does_not_meet_the_nodes_stack(
    dual: Rig, family: Family
) -> None:
    """To the stack a packet that comes in with an address of its own is a forgery."""
    dual.service(family.node, 30053, [Backend(family.pod, 53)], proto=17)
    sent = datagram(family.client, family.node, dport=30053)
    met = dual.run("from_netdev", sent).frame
    out = dual.run("from_container", FROM_POD / errors.error(met, family.pod, NO_PORT, WHOLE))
    assert (out.verdict, out.ends) == (REDIRECT, (family.node, family.client))
    assert ended(quote_of(out)) == ended(network(Ether(bytes(sent))))
    assert dual.run("to_netdev", out.packet).packet == out.packet
