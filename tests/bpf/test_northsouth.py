"""From a client outside to a service and back, packet by packet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from lab import shell
from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import OVERLAY_PORT, CtFlag, Reason, ServiceFlag, TupleFlag

from .family import BOTH, IPV4, Family
from .node import (
    CLIENT,
    DUAL,
    GATEWAY_MAC,
    NODE2_MAC,
    NODE_MAC,
    POD,
    POD_LABEL,
    POD_MAC,
    REMOTE_POD,
    ROUTER,
    VETH_MAC,
    VIP,
)
from .packets import (
    FROM_POD,
    FROM_ROUTER,
    PORT,
    TO_POD,
    arriving,
    datagram,
    ip,
    reply,
    request,
    same,
)
from .rig import OK, REDIRECT, SHOT, Backend, Rig


def test_local_backend_sees_the_client(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 8080)])
    out = rig.run("from_netdev", request())
    assert out.verdict == REDIRECT
    same(
        out.frame,
        TO_POD / IP(src=CLIENT, dst=POD, ttl=63) / TCP(sport=PORT, dport=8080, flags="S"),
    )
    assert (out.frame.src, out.frame.dst) == (VETH_MAC, POD_MAC)


def test_local_backend_reply_comes_from_the_vip(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 8080)])
    rig.run("from_netdev", request())
    out = rig.run("from_container", reply(POD, CLIENT, sport=8080))
    assert out.verdict == REDIRECT
    same(
        out.frame,
        FROM_POD / IP(src=VIP, dst=CLIENT, ttl=63) / TCP(sport=80, dport=PORT, flags="SA"),
    )
    assert (out.frame.src, out.frame.dst) == (NODE_MAC, GATEWAY_MAC)


def test_remote_backend_sees_the_router_address_and_the_clients_port(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    out = rig.run("from_netdev", request())
    assert out.verdict == REDIRECT
    same(out.frame, Ether() / IP(src=ROUTER, dst=REMOTE_POD) / TCP(sport=PORT, dport=80, flags="S"))


def test_remote_backend_reply_comes_from_the_vip(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("from_netdev", request())
    restored = s.ipv4_ct_tuple(
        daddr=_int(ROUTER),
        saddr=_int(REMOTE_POD),
        dport=PORT,
        sport=80,
        nexthdr=6,
        flags=TupleFlag.IN,
    )
    entry = rig.map(t.SNAT).lookup(restored)
    assert entry is not None and (entry.to_addr, entry.to_port) == (_int(CLIENT), PORT)
    # What the tunnel does with the packet on its way in cannot be had on the bench, but to the
    # uplink's program a reply to a SNAT address is the same.
    out = rig.run("from_netdev", arriving(reply(REMOTE_POD, ROUTER)))
    assert out.verdict == REDIRECT
    same(
        out.frame, Ether() / IP(src=VIP, dst=CLIENT, ttl=63) / TCP(sport=80, dport=PORT, flags="SA")
    )
    assert (out.frame.src, out.frame.dst) == (NODE_MAC, GATEWAY_MAC)


@BOTH
def test_reply_without_a_mapping_goes_to_the_stack(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.remote_pod)])
    dual.run("from_netdev", request(family.client, family.vip))
    for key, _ in list(dual.map(family.snat).items()):
        dual.map(family.snat).delete(key)
    sent = reply(family.remote_pod, family.router)
    out = dual.run("from_netdev", sent)
    assert out.verdict == OK
    same(out.frame, sent)


@BOTH
def test_reply_without_a_route_is_a_counted_drop(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.remote_pod)])
    dual.run("from_netdev", request(family.client, family.vip))
    version = "-4" if family is IPV4 else "-6"
    dual.inside(lambda: shell.run(["ip", version, "route", "del", "default"]))
    assert (
        dual.run("from_netdev", arriving(reply(family.remote_pod, family.router))).verdict == SHOT
    )
    assert dual.dropped() == {Reason.NO_FIB: 1}


@BOTH
def test_reply_goes_by_the_routes_of_what_it_has_become(dual: Rig, family: Family) -> None:
    """Routers and their administrators see the service's address and port, so rules do."""
    dual.service(family.vip, 80, [Backend(family.pod, 8080)])
    dual.run("from_netdev", request(family.client, family.vip))
    version = "-4" if family is IPV4 else "-6"
    rule = f"from {family.vip} to {family.client} ipproto tcp sport 80 dport {PORT} lookup 100"
    for words in (f"rule add {rule}", f"route add default via {family.node2} table 100"):
        dual.inside(partial(shell.run, ["ip", version, *words.split()]))
    out = dual.run("from_container", reply(family.pod, family.client, sport=8080))
    assert (out.verdict, out.frame.dst) == (REDIRECT, NODE2_MAC)


@BOTH
def test_udp_has_the_same_way(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 53, [Backend(family.remote_pod, 5353)], proto=17)
    out = dual.run("from_netdev", datagram(family.client, family.vip))
    same(
        out.frame,
        Ether() / ip(family.router, family.remote_pod) / UDP(sport=PORT, dport=5353) / b"q",
    )
    back = dual.run(
        "from_netdev", datagram(family.remote_pod, family.router, sport=5353, dport=PORT)
    )
    same(back.frame, Ether() / ip(family.vip, family.client, 63) / UDP(sport=53, dport=PORT) / b"q")


@BOTH
def test_udp_without_a_checksum_stays_without(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 53, [Backend(family.remote_pod)], proto=17)
    sent = datagram(family.client, family.vip)
    sent[UDP].chksum = 0
    assert dual.run("from_netdev", sent).frame[UDP].chksum == 0


@BOTH
def test_tcp_and_udp_on_one_port_are_two_services(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 53, [Backend(family.pod, 1)], proto=6)
    dual.service(family.vip, 53, [Backend(family.pod, 2)], proto=17)
    assert (
        dual.run("from_netdev", request(family.client, family.vip, dport=53)).frame[TCP].dport == 1
    )
    assert dual.run("from_netdev", datagram(family.client, family.vip)).frame[UDP].dport == 2


@BOTH
def test_entry_for_any_protocol_serves_both(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 53, [Backend(family.pod, 7)], proto=0)
    assert (
        dual.run("from_netdev", request(family.client, family.vip, dport=53)).frame[TCP].dport == 7
    )
    assert dual.run("from_netdev", datagram(family.client, family.vip)).frame[UDP].dport == 7


def test_connection_is_tracked_with_its_service(rig: Rig) -> None:
    index = rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("from_netdev", request())
    entries = dict(rig.map(t.CT_TCP).items())
    by_flags = {key.flags: (key, value) for key, value in entries.items()}
    assert set(by_flags) == {TupleFlag.SERVICE, TupleFlag.OUT}
    key, value = by_flags[TupleFlag.OUT]
    assert (key.daddr, key.saddr, key.sport, key.dport) == (
        _int(CLIENT),
        _int(REMOTE_POD),
        PORT,
        80,
    )
    assert (value.flags, value.rev_nat_index, value.tx_packets) == (CtFlag.NODE_PORT, index, 1)
    assert by_flags[TupleFlag.SERVICE][1].rx_bytes == 1, "the chosen backend's id"


@BOTH
def test_flow_keeps_its_backend_while_the_service_grows(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod, 1)])
    dual.run("from_netdev", request(family.client, family.vip))
    dual.service(family.vip, 80, [Backend(family.pod, port) for port in range(2, 30)])
    ports = {
        dual.run("from_netdev", request(family.client, family.vip, flags="A")).frame[TCP].dport
        for _ in range(20)
    }
    assert ports == {1}


@BOTH
def test_flow_whose_backend_is_gone_gets_another(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod, 1)])
    dual.run("from_netdev", request(family.client, family.vip))
    gone = dual.backend(Backend(family.pod, 1))
    dual.service(family.vip, 80, [Backend(family.pod, 2)])
    dual.map(family.backends).delete(t.BackendId(gone))
    assert (
        dual.run("from_netdev", request(family.client, family.vip, flags="A")).frame[TCP].dport == 2
    )


@BOTH
def test_nodeport_is_a_service_at_the_nodes_address(dual: Rig, family: Family) -> None:
    dual.service(
        family.node, 30256, [Backend(family.pod)], flags=ServiceFlag.NODEPORT | ServiceFlag.ROUTABLE
    )
    out = dual.run("from_netdev", request(family.client, family.node, dport=30256))
    same(
        out.frame, TO_POD / ip(family.client, family.pod, 63) / TCP(sport=PORT, dport=80, flags="S")
    )


@BOTH
@pytest.mark.parametrize("sport", [PORT, OVERLAY_PORT])
def test_backend_in_the_nodes_namespace_answers_with_the_services_address(
    dual: Rig, family: Family, sport: int
) -> None:
    """Whatever the client's port: that of the tunnel means tunnel packets over UDP only."""
    dual.service(family.vip, 80, [Backend(family.node, 8080)])
    assert dual.run("from_netdev", request(family.client, family.vip, sport=sport)).verdict == OK
    left = dual.run("to_netdev", reply(family.node, family.client, sport=8080, dport=sport))
    same(left.frame, reply(family.vip, family.client, dport=sport))


@BOTH
def test_last_hop_may_be_the_nodes_own(dual: Rig, family: Family) -> None:
    """A backend in its namespace is where the way ends; a router would have to refuse."""
    dual.service(family.vip, 80, [Backend(family.node, 8080)])
    sent = FROM_ROUTER / ip(family.client, family.vip, 1) / TCP(sport=PORT, dport=80)
    out = dual.run("from_netdev", sent)
    assert (out.verdict, out.ends) == (OK, (family.client, family.node))
    assert dual.dropped() == {}


def _int(address: str) -> int:
    return int.from_bytes(bytes(map(int, address.split("."))), "big")


@BOTH
@pytest.mark.parametrize("tunnel", [True, False])
def test_reply_of_a_forgotten_flow_does_not_leave_with_the_pods_address(
    make_rig: Callable[..., Rig], family: Family, tunnel: bool
) -> None:
    """Which service the client asked nobody knows any more; of a pod it never heard."""
    rig = make_rig(replace(DUAL, tunnel=tunnel))
    if not tunnel:
        rig.identity(family.remote_pod, POD_LABEL)
        rig.route(family.remote_pod, family.node2)
    rig.service(family.vip, 80, [Backend(family.remote_pod)])
    source = rig.run("from_netdev", request(family.client, family.vip)).ends[0]
    for key, _ in list(rig.map(family.ct_tcp).items()):
        rig.map(family.ct_tcp).delete(key)
    assert rig.run("from_netdev", arriving(reply(family.remote_pod, source))).verdict == SHOT
    assert rig.dropped() == {Reason.UNROUTABLE: 1}
