"""Source NAT: which ports flows get that borrow an address, and what becomes of their answers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from scapy.layers.inet import TCP

from lab.bpf.codes import Reason, TupleFlag

from .family import BOTH, IPV4, Family
from .node import DUAL
from .packets import PORT, arriving, datagram, portless, reply, request, segment
from .rig import OK, REDIRECT, SHOT, Backend, Rig


@BOTH
def test_many_clients_with_one_port_get_ports_of_their_own(
    make_rig: Callable[..., Rig], family: Family
) -> None:
    rig = make_rig(DUAL, {family.ct_tcp.name: 4096, family.snat.name: 4096})
    rig.service(family.vip, 80, [Backend(family.remote_pod)])
    clients = [family.near(family.client, steps) for steps in range(40)]
    ports = [
        rig.run("from_netdev", request(client, family.vip)).frame[TCP].sport for client in clients
    ]
    assert ports[0] == PORT, "the first keeps its own"
    assert len(set(ports)) == len(clients)
    for client, port in zip(clients, ports, strict=True):
        answer = arriving(reply(family.remote_pod, family.router, dport=port))
        back = rig.run("from_netdev", answer)
        assert (back.ends[1], back.frame[TCP].dport) == (client, PORT)


@BOTH
@pytest.mark.parametrize("half", [TupleFlag.IN, TupleFlag.OUT], ids=["reply", "request"])
def test_lost_mapping_is_made_again(dual: Rig, family: Family, half: TupleFlag) -> None:
    """A table under pressure may evict either half of a flow's translation."""
    dual.service(family.vip, 80, [Backend(family.remote_pod)])
    dual.run("from_netdev", request(family.client, family.vip))
    table = dual.map(family.snat)
    table.delete(next(key for key, _ in table.items() if key.flags == half))
    out = dual.run("from_netdev", request(family.client, family.vip, flags="A"))
    assert (out.verdict, out.frame[TCP].sport) == (REDIRECT, PORT)
    back = arriving(reply(family.remote_pod, family.router))
    assert dual.run("from_netdev", back).ends == (family.vip, family.client)


@BOTH
@pytest.mark.parametrize("port", [32768, 65535])
def test_ports_at_the_ends_of_the_range_are_kept(dual: Rig, family: Family, port: int) -> None:
    dual.service(family.vip, 80, [Backend(family.remote_pod)])
    out = dual.run("from_netdev", request(family.client, family.vip, sport=port))
    assert out.frame[TCP].sport == port


@BOTH
def test_port_below_the_range_is_replaced(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.remote_pod)])
    asked = dual.run("from_netdev", request(family.client, family.vip, sport=1000))
    port = asked.frame[TCP].sport
    assert 32768 <= port <= 65535
    answer = arriving(reply(family.remote_pod, family.router, dport=port))
    assert dual.run("from_netdev", answer).frame[TCP].dport == 1000


@BOTH
def test_exhausted_ports_are_a_counted_drop(make_rig: Callable[..., Rig], family: Family) -> None:
    rig = make_rig(replace(DUAL, snat_ports=(40000, 40003)))
    rig.service(family.vip, 80, [Backend(family.remote_pod)])
    sent = [request(family.client, family.vip, sport=port) for port in range(50000, 50006)]
    got = [rig.run("from_netdev", packet).verdict for packet in sent]
    assert got == [REDIRECT] * 4 + [SHOT] * 2
    assert rig.dropped() == {Reason.NAT_NO_MAPPING: 2}


@BOTH
def test_masquerade_of_an_unknown_protocol_is_refused(dual: Rig, family: Family) -> None:
    assert dual.run("to_netdev", portless(family.pod, family.client)).verdict == SHOT
    assert dual.dropped() == {Reason.NAT_UNSUPPORTED_PROTO: 1}


@BOTH
def test_reply_to_the_node_itself_is_not_translated(dual: Rig, family: Family) -> None:
    sent = request(family.client, family.node, sport=179, dport=40000, flags="SA")
    out = dual.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))


@BOTH
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_port_of_a_socket_of_the_node_is_no_pods(
    dual: Rig, family: Family, kind: socket.SocketKind
) -> None:
    """The replies to the pod would be the socket's, whose own packets keep it."""

    def open_socket() -> socket.socket:
        asks = socket.socket(socket.AF_INET if family is IPV4 else socket.AF_INET6, kind)
        asks.setblocking(False)
        asks.bind((family.node, PORT))
        asks.connect_ex((family.client, 53))
        return asks

    sent = datagram if kind == socket.SOCK_DGRAM else partial(segment, dport=53)
    with dual.inside(open_socket):
        taken = dual.run("to_netdev", sent(family.pod, family.client))
        own = dual.run("to_netdev", sent(family.node, family.client))
    assert taken.ends[0] == family.node
    assert taken.frame[2].sport != PORT
    assert own.frame[2].sport == PORT
