"""Direct server return: the ingress node's half and the backend node's half."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror

from lab.bpf import tables as t
from lab.bpf.codes import CtFlag, Reason, ServiceFlag, ServiceFlag2, TupleFlag
from lab.bpf.config import NodeConfig

from .dsr import OPTION, option
from .node import (
    CLIENT,
    CONFIG,
    GATEWAY,
    GATEWAY_MAC,
    MODERN,
    NODE,
    NODE2,
    NODE_MAC,
    POD,
    POD2,
    POD_MAC,
    REMOTE_POD,
    VIP,
    direct,
)
from .noise import ones_complement
from .packets import FROM_POD, FROM_ROUTER, PORT, datagram, reply, request, same
from .rig import OK, REDIRECT, SHOT, Backend, Rig

NATIVE = replace(CONFIG, tunnel=False)


@pytest.fixture
def dsr(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig(direct(CONFIG))


def native(rig: Rig) -> Rig:
    """Without a tunnel the identity of a remote pod names no tunnel endpoint."""
    rig.identity(REMOTE_POD, 4321)
    return rig


def option_of(packet: Any) -> bytes:
    return bytes(packet[IP])[20 : packet[IP].ihl * 4]


def test_syn_carries_the_service_and_keeps_the_client(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    out = native(dsr).run("from_netdev", request())
    assert out.verdict == REDIRECT
    assert option_of(out.frame) == OPTION
    wanted = IP(src=CLIENT, dst=REMOTE_POD, ttl=63, options=OPTION)
    same(out.frame, FROM_ROUTER / wanted / TCP(sport=PORT, dport=8080, flags="S"))
    assert list(dsr.map(t.SNAT).items()) == []


def test_later_segments_carry_nothing(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD, 8080)])
    native(dsr).run("from_netdev", request())
    out = dsr.run("from_netdev", request(flags="A"))
    wanted = IP(src=CLIENT, dst=REMOTE_POD, ttl=63) / TCP(sport=PORT, dport=8080, flags="A")
    same(out.frame, FROM_ROUTER / wanted)


def test_every_datagram_carries_it(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD)], proto=17)
    for _ in range(2):
        out = native(dsr).run("from_netdev", datagram(CLIENT, VIP, dport=80))
        assert option_of(out.frame) == OPTION
        wanted = IP(src=CLIENT, dst=REMOTE_POD, ttl=63, options=OPTION)
        same(out.frame, FROM_ROUTER / wanted / UDP(sport=PORT, dport=80) / b"q")


def test_every_fragment_carries_it(dsr: Rig) -> None:
    """Each is forwarded on its own; the bit for that is part of the option's type (RFC 791)."""
    dsr.service(VIP, 80, [Backend(REMOTE_POD)], proto=17)
    whole = bytes(datagram(CLIENT, VIP, dport=80, data=bytes(100)))[34:]
    for at, more in ((0, "MF"), (8, 0)):
        piece = IP(src=CLIENT, dst=VIP, id=7, proto=17, frag=at, flags=more)
        data = whole[:64] if more else whole[64:]
        out = native(dsr).run("from_netdev", FROM_ROUTER / piece / data)
        assert (out.verdict, option_of(out.frame)) == (REDIRECT, OPTION)
        assert (out.frame[IP].frag, out.frame[IP].len) == (at, 28 + len(data))
    assert dsr.dropped() == {}


def test_hybrid_is_dsr_for_tcp_and_snat_for_udp(make_rig: Callable[..., Rig]) -> None:
    rig = native(make_rig(direct(CONFIG, 6)))
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.service(VIP, 80, [Backend(REMOTE_POD)], proto=17)
    assert rig.run("from_netdev", request()).frame[IP].src == CLIENT
    assert rig.run("from_netdev", datagram(CLIENT, VIP, dport=80)).frame[IP].src == NODE


def test_one_service_may_ask_for_it(make_rig: Callable[..., Rig]) -> None:
    rig = native(make_rig(NATIVE))
    rig.service(VIP, 80, [Backend(REMOTE_POD)], flags2=ServiceFlag2.FORWARD_DSR)
    rig.service(VIP, 81, [Backend(REMOTE_POD)])
    assert option_of(rig.run("from_netdev", request()).frame) == OPTION
    assert rig.run("from_netdev", request(dport=81)).frame[IP].src == NODE


@pytest.mark.parametrize("protocols", [(), (6,)], ids=["dsr", "hybrid"])
def test_one_service_may_ask_for_translation(
    make_rig: Callable[..., Rig], protocols: tuple[int, ...]
) -> None:
    """Also where others are answered directly: its annotation counts more than the lab's mode."""
    rig = native(make_rig(direct(CONFIG, *protocols)))
    rig.service(VIP, 80, [Backend(REMOTE_POD)], flags2=0)
    rig.service(VIP, 81, [Backend(REMOTE_POD)])
    assert rig.run("from_netdev", request()).frame[IP].src == NODE
    assert rig.run("from_netdev", request(dport=81)).frame[IP].src == CLIENT


def test_tunnel_never_uses_it(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(CONFIG)
    rig.service(VIP, 80, [Backend(REMOTE_POD)], flags2=ServiceFlag2.FORWARD_DSR)
    assert option_of(rig.run("from_netdev", request()).frame) == b""


def arrive(rig: Rig, option: bytes = OPTION) -> Any:
    """The SYN as the backend's node gets it."""
    sent = FROM_ROUTER / IP(src=CLIENT, dst=POD, options=option)
    return rig.run("from_netdev", sent / TCP(sport=PORT, dport=8080, flags="S"))


def test_a_node_port_of_another_node_is_answered_from_there(dsr: Rig) -> None:
    """The other node's address is no frontend here, but the NodePort is one everywhere."""
    dsr.service("0.0.0.0", 30080, [Backend(POD, 8080)], flags=ServiceFlag.NODEPORT)
    told = option(NODE2, 30080)
    assert arrive(dsr, told).verdict == REDIRECT
    out = dsr.run("from_container", reply(POD, CLIENT, sport=8080))
    wanted = IP(src=NODE2, dst=CLIENT, ttl=63) / TCP(sport=30080, dport=PORT, flags="SA")
    same(out.frame, FROM_POD / wanted)


@pytest.mark.parametrize("asking", [POD, POD2])
def test_a_pod_may_ask_by_way_of_another_node(dsr: Rig, asking: str) -> None:
    """It asks in its own name, as pods do among nodes without a tunnel, and the other node chooses
    a backend where the client is. No pod takes a packet from its own address.
    """
    dsr.service("0.0.0.0", 30080, [Backend(POD, 8080)], flags=ServiceFlag.NODEPORT)
    asks = reply(asking, NODE2, sport=PORT, dport=30080, flags="S")
    assert dsr.run("from_container", asks).verdict == OK
    same(dsr.run("to_netdev", asks).frame, asks)
    told = option(NODE2, 30080)
    for options, flags, answer in ((told, "S", "SA"), (b"", "A", "A")):
        arriving = FROM_ROUTER / IP(src=asking, dst=POD, options=options)
        there = dsr.run("from_netdev", arriving / TCP(sport=PORT, dport=8080, flags=flags))
        seen = there.frame[IP].src
        assert (there.verdict, seen) == (REDIRECT, "169.254.42.1" if asking == POD else asking)
        out = dsr.run("from_container", reply(POD, seen, sport=8080, flags=answer))
        assert (out.verdict, dsr.dropped()) == (REDIRECT, {})
        assert out.frame.dst == POD_MAC
        got = out.frame[IP]
        assert (got.src, got.dst) == (NODE2, asking)
        assert (got.sport, got.dport, got.sprintf("%TCP.flags%")) == (30080, PORT, answer)


def test_nobody_outside_has_a_pods_own_address(dsr: Rig) -> None:
    """Nor is a pod that was not chosen itself told that it asks itself; with no hop left the answer
    goes to whom the packet names.
    """
    assert dsr.run("from_netdev", request(POD, POD)).verdict == SHOT
    assert dsr.dropped() == {Reason.INVALID_SIP: 1}
    late = request(POD, POD)
    late[IP].ttl = 1
    assert dsr.run("from_netdev", late).frame[IP].dst == POD


def test_the_nodes_own_socket_may_ask_by_way_of_another_node(dsr: Rig) -> None:
    dsr.service("0.0.0.0", 30080, [Backend(POD, 8080)], flags=ServiceFlag.NODEPORT)
    told = option(NODE2, 30080)
    arriving = FROM_ROUTER / IP(src=NODE, dst=POD, options=told)
    dsr.run("from_netdev", arriving / TCP(sport=PORT, dport=8080, flags="S"))
    out = dsr.run("from_container", reply(POD, NODE, sport=8080))
    assert (out.verdict, dsr.dropped()) == (OK, {})
    wanted = IP(src=NODE2, dst=NODE) / TCP(sport=30080, dport=PORT, flags="SA")
    same(out.frame, FROM_POD / wanted)


@pytest.mark.parametrize("address", [REMOTE_POD, GATEWAY, "127.0.0.1"])
def test_a_node_port_is_answered_from_no_address_but_a_nodes(dsr: Rig, address: str) -> None:
    dsr.service("0.0.0.0", 30080, [Backend(POD, 8080)], flags=ServiceFlag.NODEPORT)
    arrive(dsr, option(address, 30080))
    assert list(dsr.map(t.SNAT).items()) == []


def test_backends_node_answers_with_the_services_address(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(POD, 8080)])
    assert arrive(dsr).verdict == REDIRECT
    value = next(v for key, v in dsr.map(t.CT_TCP).items() if key.flags == TupleFlag.IN)
    assert value.flags & CtFlag.DSR
    for flags in ("SA", "A"):
        out = dsr.run("from_container", reply(POD, CLIENT, sport=8080, flags=flags))
        assert out.verdict == REDIRECT
        wanted = IP(src=VIP, dst=CLIENT, ttl=63) / TCP(sport=80, dport=PORT, flags=flags)
        same(out.frame, FROM_POD / wanted)
        assert (out.frame.src, out.frame.dst) == (NODE_MAC, GATEWAY_MAC)


@pytest.mark.parametrize(
    "told",
    [option("8.8.8.8", 80), option(VIP, 81), option(VIP, 80)[:1] + b"\x0c" + OPTION[2:] + bytes(4)],
    ids=["no service", "a port that is not listed", "another length"],
)
def test_option_that_names_no_service_is_ignored(make_rig: Callable[..., Rig], told: bytes) -> None:
    """Nor does one that stands for the unlisted ports of a service's address."""
    dsr = make_rig(direct(MODERN))
    dsr.service(VIP, 80, [Backend(POD, 8080)])
    dsr.service(VIP, 0, [], proto=0)
    assert arrive(dsr, told).verdict == REDIRECT
    assert list(dsr.map(t.SNAT).items()) == []
    out = dsr.run("from_container", reply(POD, CLIENT, sport=8080))
    assert out.frame[IP].src == POD


def test_datagram_too_big_for_the_option_is_answered(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD)], proto=17)
    out = native(dsr).run("from_netdev", datagram(CLIENT, VIP, dport=80, data=bytes(1470)))
    assert out.verdict == REDIRECT
    icmp = out.frame[ICMP]
    assert (out.frame[IP].src, out.frame[IP].dst) == (NODE, CLIENT)
    assert (icmp.type, icmp.code, icmp.nexthopmtu, icmp[IPerror].dst) == (3, 4, 1492, VIP)
    assert dsr.dropped() == {Reason.FRAG_NEEDED: 1}


@pytest.mark.parametrize("program", ["from_netdev", "xdp_entry"])
def test_it_goes_before_other_options(dsr: Rig, program: str) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD)])
    segment = TCP(sport=PORT, dport=80, flags="S") / b"at once"
    dsr.route(REMOTE_POD, NODE2)
    for other in (b"\x01" * 4, OPTION[:2] + b"another", b"\x94\x04\0\0" * 8):
        sent = FROM_ROUTER / IP(src=CLIENT, dst=VIP, options=other) / segment
        out = native(dsr).run(program, sent)
        padded = other.ljust(-(-len(other) // 4) * 4, b"\0")
        wanted = IP(src=CLIENT, dst=REMOTE_POD, ttl=63, options=OPTION + padded) / segment
        same(out.frame, FROM_ROUTER / wanted)


def test_header_that_is_full_cannot_take_it(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD)])
    for length in (36, 40):
        sent = FROM_ROUTER / IP(src=CLIENT, dst=VIP, options=b"\x01" * length)
        out = native(dsr).run("from_netdev", sent / TCP(sport=PORT, dport=80, flags="S"))
        assert out.verdict == SHOT
    assert dsr.dropped() == {Reason.CT_INVALID_HEADER: 2}


def test_damaged_header_is_not_mended_on_the_way(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(REMOTE_POD)])
    sent = request()
    sent[IP].chksum = 0x1234
    damage = ones_complement(bytes(sent)[14:34])
    out = native(dsr).run("from_netdev", sent)
    assert option_of(out.frame) == OPTION
    assert ones_complement(out.packet[14:42]) == damage


@pytest.mark.parametrize("proto", [6, 17])
def test_backend_in_the_nodes_namespace_answers_with_the_services_address(
    dsr: Rig, proto: int
) -> None:
    dsr.service(VIP, 80, [Backend(NODE, 8080)], proto=proto)
    l4 = TCP(sport=PORT, dport=8080, flags="S") if proto == 6 else UDP(sport=PORT, dport=8080)
    sent = FROM_ROUTER / IP(src=CLIENT, dst=NODE, options=OPTION) / l4
    out = dsr.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))
    for flags in ("SA", "A", "PA"):
        back = (
            TCP(sport=8080, dport=PORT, flags=flags) if proto == 6 else UDP(sport=8080, dport=PORT)
        )
        left = dsr.run("to_netdev", FROM_POD / IP(src=NODE, dst=CLIENT) / back)
        assert left.verdict == OK
        back.sport = 80
        same(left.frame, FROM_POD / IP(src=VIP, dst=CLIENT) / back)


@pytest.mark.parametrize("flags", ["PA", "FA"], ids=["abandoned", "closed"])
@pytest.mark.parametrize("config", [NATIVE, direct(CONFIG)], ids=["snat", "dsr"])
def test_a_port_that_came_by_a_service_may_ask_the_nodes_socket_itself_next(
    make_rig: Callable[..., Rig], config: NodeConfig, flags: str
) -> None:
    rig = make_rig(config)
    rig.service(VIP, 80, [Backend(NODE, 8080)])
    came = IP(src=CLIENT, dst=NODE, options=OPTION) / TCP(sport=PORT, dport=8080, flags="S")
    rig.run("from_netdev", request() if config == NATIVE else FROM_ROUTER / came)
    back = FROM_POD / IP(src=NODE, dst=CLIENT) / TCP(sport=8080, dport=PORT, flags=flags)
    assert rig.run("to_netdev", back).frame[IP].src == VIP
    rig.run("from_netdev", request(dst=NODE, dport=8080))
    assert rig.run("to_netdev", back).packet == bytes(back)


@pytest.mark.parametrize("proto", [6, 17])
@pytest.mark.parametrize("backend", [POD, NODE])
def test_a_port_that_came_by_a_service_may_ask_the_backend_itself_next(
    dsr: Rig, backend: str, proto: int
) -> None:
    """What tells no service where it would has none."""
    dsr.service(VIP, 80, [Backend(backend, 8080)], proto=proto)
    l4 = (
        TCP(sport=PORT, dport=8080, flags="S") if proto == 6 else UDP(sport=PORT, dport=8080) / b"q"
    )
    back = TCP(sport=8080, dport=PORT) if proto == 6 else UDP(sport=8080, dport=PORT) / b"a"
    leaving = "to_netdev" if backend == NODE else "from_container"
    for options, source in ((OPTION, VIP), (b"", backend), (OPTION, VIP)):
        dsr.run("from_netdev", FROM_ROUTER / IP(src=CLIENT, dst=backend, options=options) / l4)
        out = dsr.run(leaving, FROM_POD / IP(src=backend, dst=CLIENT) / back)
        assert out.frame[IP].src == source


def test_socket_of_the_node_that_nobody_came_to_by_a_service_keeps_its_address(dsr: Rig) -> None:
    dsr.service(VIP, 80, [Backend(NODE, 8080)])
    dsr.run("from_netdev", request(dst=NODE, dport=8080))
    assert list(dsr.map(t.CT_TCP).items()) == []
    back = FROM_POD / IP(src=NODE, dst=CLIENT) / TCP(sport=8080, dport=PORT, flags="SA")
    assert dsr.run("to_netdev", back).packet == bytes(back)
