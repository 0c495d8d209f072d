"""Direct server return: the half of the backend's node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP

from lab.bpf import tables as t
from lab.bpf.codes import CtFlag, Reason, ServiceFlag, TupleFlag
from lab.bpf.config import NodeConfig

from .dsr import OPTION, option
from .node import (
    CLIENT,
    CONFIG,
    GATEWAY,
    GATEWAY_MAC,
    MODERN,
    NATIVE,
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
from .packets import FROM_POD, FROM_ROUTER, PORT, reply, request, same
from .rig import OK, REDIRECT, SHOT, Backend, Rig


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
