"""From a client outside to a service and back, packet by packet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from lab import shell
from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import (
    OVERLAY_PORT,
    CtFlag,
    Reason,
    ServiceFlag,
    TupleFlag,
)

from .node import (
    CLIENT,
    CONFIG,
    GATEWAY_MAC,
    NODE,
    NODE2,
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
    ping,
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


def test_no_service_takes_the_tunnels_packets(rig: Rig) -> None:
    """Not even one that claims the node's own address as an external one."""
    rig.service(NODE, 8472, [Backend(POD)], proto=17)
    outer = FROM_ROUTER / IP(src=NODE2, dst=NODE) / UDP(sport=45000, dport=8472, chksum=0)
    assert rig.run("from_netdev", outer / VXLAN(vni=6, flags=8) / request()).verdict == OK


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


def test_reply_without_a_mapping_goes_to_the_stack(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("from_netdev", request())
    for key, _ in list(rig.map(t.SNAT).items()):
        rig.map(t.SNAT).delete(key)
    sent = reply(REMOTE_POD, ROUTER)
    out = rig.run("from_netdev", sent)
    assert out.verdict == OK
    same(out.frame, sent)


def test_reply_without_a_route_is_a_counted_drop(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("from_netdev", request())
    rig.inside(lambda: shell.run(["ip", "route", "del", "default"]))
    assert rig.run("from_netdev", arriving(reply(REMOTE_POD, ROUTER))).verdict == SHOT
    assert rig.dropped() == {Reason.NO_FIB: 1}


def test_udp_has_the_same_way(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD, 5353)], proto=17)
    out = rig.run("from_netdev", datagram(CLIENT, VIP))
    same(out.frame, Ether() / IP(src=ROUTER, dst=REMOTE_POD) / UDP(sport=PORT, dport=5353) / b"q")
    back = rig.run("from_netdev", datagram(REMOTE_POD, ROUTER, sport=5353, dport=PORT))
    same(back.frame, Ether() / IP(src=VIP, dst=CLIENT, ttl=63) / UDP(sport=53, dport=PORT) / b"q")


def test_udp_without_a_checksum_stays_without(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD)], proto=17)
    sent = datagram(CLIENT, VIP)
    sent[UDP].chksum = 0
    assert rig.run("from_netdev", sent).frame[UDP].chksum == 0


def test_tcp_and_udp_on_one_port_are_two_services(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(POD, 1)], proto=6)
    rig.service(VIP, 53, [Backend(POD, 2)], proto=17)
    assert rig.run("from_netdev", request(dport=53)).frame[TCP].dport == 1
    assert rig.run("from_netdev", datagram(CLIENT, VIP)).frame[UDP].dport == 2


def test_entry_for_any_protocol_serves_both(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(POD, 7)], proto=0)
    assert rig.run("from_netdev", request(dport=53)).frame[TCP].dport == 7
    assert rig.run("from_netdev", datagram(CLIENT, VIP)).frame[UDP].dport == 7


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


def test_flow_keeps_its_backend_while_the_service_grows(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 1)])
    rig.run("from_netdev", request())
    rig.service(VIP, 80, [Backend(POD, port) for port in range(2, 30)])
    ports = {rig.run("from_netdev", request(flags="A")).frame[TCP].dport for _ in range(20)}
    assert ports == {1}


def test_flow_whose_backend_is_gone_gets_another(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 1)])
    rig.run("from_netdev", request())
    gone = rig.backend(Backend(POD, 1))
    rig.service(VIP, 80, [Backend(POD, 2)])
    rig.map(t.BACKENDS).delete(t.BackendId(gone))
    assert rig.run("from_netdev", request(flags="A")).frame[TCP].dport == 2


def test_unlisted_port_goes_to_the_stack_in_1_10(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD)])
    for sent in (request(dport=81), ping(CLIENT, VIP)):
        out = rig.run("from_netdev", sent)
        assert out.verdict == OK
        same(out.frame, sent)
    assert rig.events() == []


def test_unlisted_port_is_dropped_in_modern(modern: Rig) -> None:
    modern.service(VIP, 80, [Backend(POD)])
    modern.service(VIP, 0, [], proto=0)
    for sent in (request(dport=81), datagram(CLIENT, VIP), ping(CLIENT, VIP)):
        assert modern.run("from_netdev", sent).verdict == SHOT
    assert [event.subtype for event in modern.events()] == [Reason.NO_SERVICE] * 3
    assert modern.dropped() == {Reason.NO_SERVICE: 3}
    assert modern.run("from_netdev", request()).verdict == REDIRECT, "the listed port still works"


def test_protocol_without_ports_is_dropped_in_modern(modern: Rig) -> None:
    modern.service(VIP, 80, [Backend(POD)])
    modern.service(VIP, 0, [], proto=0)
    tunnelled = FROM_ROUTER / IP(src=CLIENT, dst=VIP, proto=47) / bytes(8)
    assert modern.run("from_netdev", tunnelled).verdict == SHOT
    assert modern.dropped() == {Reason.NO_SERVICE: 1}


def test_cluster_ip_is_refused_outside(rig: Rig) -> None:
    rig.service("10.96.0.10", 80, [Backend(POD)], flags=0)
    assert rig.run("from_netdev", request(dst="10.96.0.10")).verdict == SHOT
    assert rig.dropped() == {Reason.IS_CLUSTER_IP: 1}


def test_service_without_backends_in_1_10_goes_to_the_stack(rig: Rig) -> None:
    rig.service(VIP, 80, [])
    assert rig.run("from_netdev", request()).verdict == OK


def test_nodeport_is_a_service_at_the_nodes_address(rig: Rig) -> None:
    rig.service(
        "192.168.1.21", 30256, [Backend(POD)], flags=ServiceFlag.NODEPORT | ServiceFlag.ROUTABLE
    )
    out = rig.run("from_netdev", request(dst="192.168.1.21", dport=30256))
    same(out.frame, TO_POD / IP(src=CLIENT, dst=POD, ttl=63) / TCP(sport=PORT, dport=80, flags="S"))


@pytest.mark.parametrize("sport", [PORT, OVERLAY_PORT])
def test_backend_in_the_nodes_namespace_answers_with_the_services_address(
    rig: Rig, sport: int
) -> None:
    """Whatever the client's port: that of the tunnel means tunnel packets over UDP only."""
    rig.service(VIP, 80, [Backend(NODE, 8080)])
    assert rig.run("from_netdev", request(sport=sport)).verdict == OK
    left = rig.run("to_netdev", reply(NODE, CLIENT, sport=8080, dport=sport))
    same(left.frame, reply(VIP, CLIENT, dport=sport))


def _int(address: str) -> int:
    return int.from_bytes(bytes(map(int, address.split("."))), "big")


def test_frame_for_another_machine_is_left_alone(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    flooded = Ether(src=GATEWAY_MAC, dst="02:00:00:00:00:77") / request().payload
    out = rig.run("from_netdev", flooded)
    assert out.verdict == OK
    assert out.packet == bytes(flooded)


@pytest.mark.parametrize("tunnel", [True, False])
def test_reply_of_a_forgotten_flow_does_not_leave_with_the_pods_address(
    make_rig: Callable[..., Rig], tunnel: bool
) -> None:
    """Which service the client asked nobody knows any more; of a pod it never heard."""
    rig = make_rig(replace(CONFIG, tunnel=tunnel))
    if not tunnel:
        rig.identity(REMOTE_POD, POD_LABEL)
        rig.route(REMOTE_POD, NODE2)
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    source = rig.run("from_netdev", request()).frame[IP].src
    for key, _ in list(rig.map(t.CT_TCP).items()):
        rig.map(t.CT_TCP).delete(key)
    assert rig.run("from_netdev", arriving(reply(REMOTE_POD, source))).verdict == SHOT
    assert rig.dropped() == {Reason.UNROUTABLE: 1}
