"""The node's own flows beside those that borrow its addresses: no two have one port to one peer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP

from lab.bpf import tables as t
from lab.bpf.codes import OVERLAY_PORT, CtFlag

from .family import BOTH, IPV4, Family
from .node import CLIENT, DUAL, GATEWAY, NODE, NODE2, POD, REMOTE_POD, ROUTER
from .packets import FROM_ROUTER, PORT, arriving, datagram, ip, ping, reply, request, same
from .rig import OK, REDIRECT, Backend, Rig

CLUSTER_IP = "10.96.0.10"


def answer(rig: Rig, src: str, dst: str, dport: int) -> Any:
    """A pod's or server's segment from port 80, as it comes in."""
    return rig.run("from_netdev", arriving(reply(src, dst, dport=dport)))


def published(rig: Rig, family: Family, service: bool) -> str:
    """A pod elsewhere with its services; what the node asks for it by."""
    rig.service(family.vip, 80, [Backend(family.remote_pod)])
    rig.service(family.cluster_ip, 80, [Backend(family.remote_pod)], flags=0)
    return family.cluster_ip if service else family.remote_pod


@BOTH
@pytest.mark.parametrize("service", [False, True], ids=["pod", "service"])
def test_a_port_that_a_client_has_is_not_the_nodes(
    dual: Rig, family: Family, service: bool
) -> None:
    """The node's connection hung: the client got the answers."""
    asked = published(dual, family, service)
    assert dual.run("from_netdev", request(family.client, family.vip)).frame[TCP].sport == PORT
    out = dual.run("from_host", request(family.router, asked))
    given = out.frame[TCP].sport
    assert (out.verdict, out.ends) == (REDIRECT, (family.router, family.remote_pod))
    assert given != PORT
    back = answer(dual, family.remote_pod, family.router, given)
    assert back.verdict == OK
    same(back.frame, arriving(reply(asked, family.router)))
    assert answer(dual, family.remote_pod, family.router, PORT).ends[1] == family.client


@BOTH
@pytest.mark.parametrize("service", [False, True], ids=["pod", "service"])
def test_a_port_that_the_node_has_is_no_clients(dual: Rig, family: Family, service: bool) -> None:
    asked = published(dual, family, service)
    own = dual.run("from_host", request(family.router, asked))
    same(own.frame, request(family.router, family.remote_pod))
    given = dual.run("from_netdev", request(family.client, family.vip)).frame[TCP].sport
    assert given != PORT
    back = answer(dual, family.remote_pod, family.router, PORT)
    assert back.verdict == OK
    same(back.frame, arriving(reply(asked, family.router)))
    assert answer(dual, family.remote_pod, family.router, given).ends[1] == family.client


@BOTH
def test_a_port_that_a_pod_borrowed_is_not_the_nodes(dual: Rig, family: Family) -> None:
    """Towards the world pods borrow the node's address."""
    assert dual.run("to_netdev", datagram(family.pod, family.client)).frame[UDP].sport == PORT
    out = dual.run("to_netdev", datagram(family.node, family.client))
    given = out.frame[UDP].sport
    assert (out.verdict, out.ends[0]) == (OK, family.node)
    assert given != PORT
    back = dual.run("from_netdev", datagram(family.client, family.node, sport=53, dport=given))
    assert back.verdict == OK
    same(back.frame, datagram(family.client, family.node, sport=53, dport=PORT))
    pods = dual.run("from_netdev", datagram(family.client, family.node, sport=53, dport=PORT))
    assert pods.ends[1] == family.pod


@BOTH
def test_a_number_that_a_pods_echo_borrowed_is_not_the_nodes(dual: Rig, family: Family) -> None:
    """Both ping one host; each hears of its own."""

    def pong(number: int) -> Any:
        return ping(family.client, family.node, kind="echo-reply", number=number)

    dual.run("to_netdev", ping(family.pod, family.client, number=PORT))
    out = dual.run("to_netdev", ping(family.node, family.client, number=PORT))
    given = out.frame[2].id
    assert (out.verdict, out.ends[0]) == (OK, family.node)
    assert given != PORT
    back = dual.run("from_netdev", pong(given))
    assert back.verdict == OK
    same(back.frame, pong(PORT))
    assert dual.run("from_netdev", pong(PORT)).ends[1] == family.pod


@BOTH
def test_a_port_that_the_node_has_is_no_pods(dual: Rig, family: Family) -> None:
    own = dual.run("to_netdev", datagram(family.node, family.client))
    same(own.frame, datagram(family.node, family.client))
    given = dual.run("to_netdev", datagram(family.pod, family.client)).frame[UDP].sport
    assert given != PORT
    back = dual.run("from_netdev", datagram(family.client, family.node, sport=53, dport=PORT))
    assert back.verdict == OK
    same(back.frame, datagram(family.client, family.node, sport=53, dport=PORT))


@BOTH
def test_a_port_that_a_client_has_is_not_the_nodes_with_native_routing(
    make_rig: Callable[..., Rig], family: Family
) -> None:
    rig = make_rig(replace(DUAL, tunnel=False))
    rig.identity(family.remote_pod, 1)
    rig.route(family.remote_pod, via=family.node2)
    rig.service(family.vip, 80, [Backend(family.remote_pod)])
    assert rig.run("from_netdev", request(family.client, family.vip)).ends[0] == family.node
    given = rig.run("to_netdev", request(family.node, family.remote_pod)).frame[TCP].sport
    assert given != PORT
    back = answer(rig, family.remote_pod, family.node, given)
    assert back.verdict == OK
    same(back.frame, arriving(reply(family.remote_pod, family.node)))
    assert answer(rig, family.remote_pod, family.node, PORT).ends[1] == family.client


@BOTH
def test_a_neighbours_answer_may_have_a_time_to_live_of_one(dual: Rig, family: Family) -> None:
    """As BGP's have between neighbours: the node is where it ends."""
    dual.run("to_netdev", request(family.node, family.gateway, dport=179))
    answered = TCP(sport=179, dport=PORT, flags="SA")
    sent = FROM_ROUTER / ip(family.gateway, family.node, 1) / answered
    out = dual.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))


@BOTH
def test_a_flow_of_the_nodes_own_is_over_when_both_sides_are(dual: Rig, family: Family) -> None:
    """Its port is free again soon."""
    dual.run("to_netdev", request(family.node, family.client))
    dual.run("from_netdev", request(family.client, family.node, sport=80, dport=PORT, flags="FA"))
    dual.run("to_netdev", request(family.node, family.client, flags="FA"))
    ((_, entry),) = dual.map(family.ct_tcp).items()
    closed = CtFlag.RX_CLOSING | CtFlag.TX_CLOSING
    assert CtFlag(entry.flags) & closed == closed


@BOTH
def test_translations_say_whose_flow_it_is(dual: Rig, family: Family) -> None:
    """`HostLocal` of `cilium bpf nat list`: the node's own, not one that borrows its address. And
    since when it is there, in seconds of the clock that starts with the machine.
    """
    asked = published(dual, family, service=False)
    before = int(time.monotonic()) - 1  # the programs look at a coarser clock
    dual.run("from_netdev", request(family.client, family.vip))
    assert {entry.host_local for _, entry in dual.map(family.snat).items()} == {0}
    dual.run("from_host", request(family.router, asked, sport=PORT + 1))
    entries = [entry for _, entry in dual.map(family.snat).items()]
    assert sorted(entry.host_local for entry in entries) == [0, 0, 1, 1]
    assert all(before <= entry.created <= time.monotonic() for entry in entries)


@BOTH
def test_ports_that_nobody_borrows_are_not_entered(dual: Rig, family: Family) -> None:
    """The node is the server there."""
    for program, sent in (
        ("from_host", request(family.router, family.remote_pod, sport=80, dport=PORT, flags="SA")),
        ("to_netdev", request(family.node, family.client, sport=6443, dport=PORT, flags="SA")),
    ):
        same(dual.run(program, sent).frame, sent)
        assert list(dual.map(family.snat).items()) == []


@BOTH
def test_a_flow_to_a_pod_of_the_node_needs_no_translation(dual: Rig, family: Family) -> None:
    """Nobody borrows an address for it: requests for it keep their own."""
    dual.service(family.cluster_ip, 80, [Backend(family.pod)], flags=0)
    for asked in (family.cluster_ip, family.pod):
        sent = dual.run("from_host", request(family.router, asked)).frame
        assert (sent[1].src, sent[1].dst) == (family.router, family.pod)
    assert list(dual.map(family.snat).items()) == []


@BOTH
@pytest.mark.parametrize("bound", ["router", "node"])
def test_a_service_answers_a_low_port_of_the_node(dual: Rig, family: Family, bound: str) -> None:
    """Nobody borrows it, but the answer comes from the backend all the same."""
    own: str = getattr(family, bound)
    asked = published(dual, family, service=True)
    sent = dual.run("from_host", request(own, asked, sport=600)).frame
    assert (sent[1].src, sent[TCP].sport) == (own, 600)
    back = answer(dual, family.remote_pod, own, 600)
    assert back.verdict == OK
    same(back.frame, arriving(reply(asked, own, dport=600)))


def test_ports_of_the_tunnel_are_not_entered(dual: Rig) -> None:
    """Its outer packets are IPv4's, whatever is inside."""
    sent = datagram(IPV4.node, IPV4.node2, sport=PORT, dport=OVERLAY_PORT)
    same(dual.run("to_netdev", sent).frame, sent)
    assert list(dual.map(IPV4.snat).items()) == []


@pytest.mark.parametrize("backend", [NODE2, CLIENT])
def test_a_backend_outside_the_pod_networks_answers_the_nodes_address(
    rig: Rig, backend: str
) -> None:
    """Nobody out there has a way to the router address."""
    rig.service(CLUSTER_IP, 80, [Backend(backend)], flags=0)
    chosen = rig.run("from_host", request(ROUTER, CLUSTER_IP))
    sent = rig.run("to_netdev", chosen.frame).frame
    assert (sent[IP].src, sent[IP].dst) == (NODE, backend)
    back = rig.run("from_netdev", request(backend, NODE, sport=80, dport=sent[TCP].sport))
    assert back.verdict == OK
    same(back.frame, request(CLUSTER_IP, ROUTER, sport=80, dport=PORT))


def test_what_the_node_only_passes_on_is_not_its_own(rig: Rig) -> None:
    """By the routing table, to another node's pod."""
    assert rig.run("from_host", request(CLIENT, REMOTE_POD)).verdict == REDIRECT
    assert list(rig.map(t.CT_TCP).items()) == []


@BOTH
def test_what_a_program_sends_out_is_not_the_nodes_own(
    make_rig: Callable[..., Rig], family: Family
) -> None:
    """A client's request has the node's address by then. Taken for the node's own it would get
    another port, for which the answer's way back is not the client's.
    """
    rig = make_rig(replace(DUAL, tunnel=False))
    rig.identity(family.remote_pod, 1)
    rig.route(family.remote_pod, via=family.node2)
    rig.service(family.vip, 80, [Backend(family.remote_pod)])
    sent = rig.run("from_netdev", request(family.client, family.vip))
    assert sent.ends[0] == family.node
    entered = len(list(rig.map(family.snat).items()))
    left = rig.run("to_netdev", sent.packet, mark=sent.mark)
    assert (left.verdict, left.packet) == (OK, sent.packet)
    assert len(list(rig.map(family.snat).items())) == entered


@pytest.mark.parametrize("taken", [False, True], ids=["its own port", "another port"])
def test_an_error_about_a_flow_of_the_nodes_own_speaks_of_the_socket(rig: Rig, taken: bool) -> None:
    """Path MTU discovery finds the socket, whatever port the flow has outside."""
    if taken:
        rig.run("to_netdev", datagram(POD, CLIENT))
    own = datagram(NODE, CLIENT)
    left = rig.run("to_netdev", own).frame
    assert (left[UDP].sport != PORT) == taken
    told = FROM_ROUTER / IP(src=GATEWAY, dst=NODE) / ICMP(type=3, code=4, nexthopmtu=1400)
    out = rig.run("from_netdev", told / bytes(left.getlayer(IP))[:28])
    assert out.verdict == OK
    same(out.frame, told / bytes(own.getlayer(IP))[:28])
