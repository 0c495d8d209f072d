"""The node's own flows beside those that borrow its addresses: no two have one port to one peer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from lab.bpf import tables as t
from lab.bpf.codes import OVERLAY_PORT, CtFlag

from .node import (
    CLIENT,
    CLIENT_6,
    CONFIG,
    DUAL,
    GATEWAY,
    NODE,
    NODE2,
    POD,
    REMOTE_POD,
    REMOTE_POD_6,
    ROUTER,
    ROUTER_6,
    VIP,
    VIP_6,
)
from .packets import FROM_ROUTER, PORT, arriving, datagram, reply, request, same
from .rig import OK, REDIRECT, Backend, Rig

CLUSTER_IP = "10.96.0.10"


def answer(rig: Rig, src: str, dst: str, dport: int) -> Any:
    """A pod's or server's segment from port 80, as it comes in."""
    return rig.run("from_netdev", arriving(reply(src, dst, dport=dport)))


@pytest.mark.parametrize("asked", [REMOTE_POD, CLUSTER_IP])
def test_a_port_that_a_client_has_is_not_the_nodes(rig: Rig, asked: str) -> None:
    """The node's connection hung: the client got the answers."""
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.service(CLUSTER_IP, 80, [Backend(REMOTE_POD)], flags=0)
    assert rig.run("from_netdev", request()).frame[TCP].sport == PORT
    out = rig.run("from_host", request(ROUTER, asked))
    given = out.frame[TCP].sport
    assert (out.verdict, out.frame[IP].src, out.frame[IP].dst) == (REDIRECT, ROUTER, REMOTE_POD)
    assert given != PORT
    back = answer(rig, REMOTE_POD, ROUTER, given)
    assert back.verdict == OK
    same(back.frame, arriving(reply(asked, ROUTER)))
    assert answer(rig, REMOTE_POD, ROUTER, PORT).frame[IP].dst == CLIENT


@pytest.mark.parametrize("asked", [REMOTE_POD, CLUSTER_IP])
def test_a_port_that_the_node_has_is_no_clients(rig: Rig, asked: str) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.service(CLUSTER_IP, 80, [Backend(REMOTE_POD)], flags=0)
    own = rig.run("from_host", request(ROUTER, asked))
    same(own.frame, request(ROUTER, REMOTE_POD))
    given = rig.run("from_netdev", request()).frame[TCP].sport
    assert given != PORT
    back = answer(rig, REMOTE_POD, ROUTER, PORT)
    assert back.verdict == OK
    same(back.frame, arriving(reply(asked, ROUTER)))
    assert answer(rig, REMOTE_POD, ROUTER, given).frame[IP].dst == CLIENT


def test_over_ipv6(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(DUAL)
    rig.service(VIP_6, 80, [Backend(REMOTE_POD_6)])
    asked = FROM_ROUTER / IPv6(src=CLIENT_6, dst=VIP_6) / TCP(sport=PORT, dport=80, flags="S")
    assert rig.run("from_netdev", asked).frame[TCP].sport == PORT
    own = FROM_ROUTER / IPv6(src=ROUTER_6, dst=REMOTE_POD_6) / TCP(sport=PORT, dport=80, flags="S")
    given = rig.run("from_host", own).frame[TCP].sport
    assert given != PORT
    tcp = TCP(sport=80, dport=given, flags="SA")
    back = rig.run("from_netdev", FROM_ROUTER / IPv6(src=REMOTE_POD_6, dst=ROUTER_6) / tcp)
    assert (back.verdict, back.frame[TCP].dport) == (OK, PORT)


def test_a_port_that_a_pod_borrowed_is_not_the_nodes(rig: Rig) -> None:
    """Towards the world pods borrow the node's address."""
    assert rig.run("to_netdev", datagram(POD, CLIENT)).frame[UDP].sport == PORT
    out = rig.run("to_netdev", datagram(NODE, CLIENT))
    given = out.frame[UDP].sport
    assert (out.verdict, out.frame[IP].src) == (OK, NODE)
    assert given != PORT
    back = rig.run("from_netdev", datagram(CLIENT, NODE, sport=53, dport=given))
    assert back.verdict == OK
    same(back.frame, datagram(CLIENT, NODE, sport=53, dport=PORT))
    pods = rig.run("from_netdev", datagram(CLIENT, NODE, sport=53, dport=PORT))
    assert pods.frame[IP].dst == POD


def test_a_port_that_the_node_has_is_no_pods(rig: Rig) -> None:
    own = rig.run("to_netdev", datagram(NODE, CLIENT))
    same(own.frame, datagram(NODE, CLIENT))
    given = rig.run("to_netdev", datagram(POD, CLIENT)).frame[UDP].sport
    assert given != PORT
    back = rig.run("from_netdev", datagram(CLIENT, NODE, sport=53, dport=PORT))
    assert back.verdict == OK
    same(back.frame, datagram(CLIENT, NODE, sport=53, dport=PORT))


def test_a_port_that_a_client_has_is_not_the_nodes_with_native_routing(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(replace(CONFIG, tunnel=False))
    rig.identity(REMOTE_POD, 1)
    rig.route(REMOTE_POD, via=NODE2)
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    assert rig.run("from_netdev", request()).frame[IP].src == NODE
    given = rig.run("to_netdev", request(NODE, REMOTE_POD)).frame[TCP].sport
    assert given != PORT
    back = answer(rig, REMOTE_POD, NODE, given)
    assert back.verdict == OK
    same(back.frame, arriving(reply(REMOTE_POD, NODE)))
    assert answer(rig, REMOTE_POD, NODE, PORT).frame[IP].dst == CLIENT


def test_a_neighbours_answer_may_have_a_time_to_live_of_one(rig: Rig) -> None:
    """As BGP's have between neighbours: the node is where it ends."""
    rig.run("to_netdev", request(NODE, GATEWAY, dport=179))
    sent = request(GATEWAY, NODE, sport=179, dport=PORT, flags="SA")
    sent[IP].ttl = 1
    out = rig.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))


def test_a_flow_of_the_nodes_own_is_over_when_both_sides_are(rig: Rig) -> None:
    """Its port is free again soon."""
    rig.run("to_netdev", request(NODE, CLIENT))
    rig.run("from_netdev", request(CLIENT, NODE, sport=80, dport=PORT, flags="FA"))
    rig.run("to_netdev", request(NODE, CLIENT, flags="FA"))
    ((_, entry),) = rig.map(t.CT_TCP).items()
    closed = CtFlag.RX_CLOSING | CtFlag.TX_CLOSING
    assert CtFlag(entry.flags) & closed == closed


@pytest.mark.parametrize(
    ("program", "sent"),
    [
        ("from_host", request(ROUTER, REMOTE_POD, sport=80, dport=PORT, flags="SA")),
        ("to_netdev", request(NODE, CLIENT, sport=6443, dport=PORT, flags="SA")),
        ("to_netdev", datagram(NODE, NODE2, sport=PORT, dport=OVERLAY_PORT)),
    ],
    ids=["pod's server", "world's server", "tunnel"],
)
def test_ports_that_nobody_borrows_are_not_entered(rig: Rig, program: str, sent: Any) -> None:
    same(rig.run(program, sent).frame, sent)
    assert list(rig.map(t.SNAT).items()) == []


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
