"""Every packet that is lost is counted once, under one reason and direction, and is one event; and
none of it is counted as forwarded.

Directions are Cilium's: what is lost on its way out again, to a backend on another node or back to
the client, counts as egress, by whatever interface it came in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether

from lab import shell
from lab.bpf import tables as t
from lab.bpf.codes import Direction, EventType, Reason, ServiceFlag
from lab.bpf.config import NoBackend, NodeConfig

from .node import (
    CLIENT,
    CONFIG,
    MODERN,
    POD,
    POD2,
    REMOTE_POD,
    REMOTE_POD_6,
    ROUTER,
    ROUTER_6,
    VIP,
    direct,
)
from .packets import FROM_POD, FROM_ROUTER, PORT, arriving, datagram, reply, request
from .rig import EXPOSED, Backend, Rig
from .xdp import DROP

Act = Callable[[Rig], object]

DSR = direct(MODERN)
NO_PORTS = (40000, 39999)
NEXT_DOOR = "10.0.1.7"
OUT, IN = Direction.EGRESS, Direction.INGRESS


def remote(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])


def local(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD)])


def empty(rig: Rig) -> None:
    rig.service(VIP, 80, [])


def guarded(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD)], flags=EXPOSED | ServiceFlag.SOURCE_RANGE)


def inner(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD)], flags=0)


def forwarded(rig: Rig) -> None:
    remote(rig)
    rig.run("from_netdev", request())


def asked(rig: Rig) -> None:
    """A request was forwarded, and then the way back to the client was lost."""
    forwarded(rig)
    rig.inside(lambda: shell.run(["ip", "route", "del", "default"]))


def near(rig: Rig) -> None:
    rig.identity(REMOTE_POD, 4321)
    rig.route(REMOTE_POD, "192.168.1.22")
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.service(VIP, 80, [Backend(REMOTE_POD)], proto=17)


def nameless(rig: Rig) -> None:
    """The frontend's address for replies is gone."""
    near(rig)
    for key, _ in rig.map(t.REVERSE_NAT).items():
        rig.map(t.REVERSE_NAT).delete(key)


def next_door(rig: Rig) -> None:
    """Another pod, behind another veth."""
    rig.pod(NEXT_DOOR, 103, ifindex=2)


def nothing(_: Rig) -> None:
    """The node as it is."""


@dataclass(frozen=True)
class Lost:
    """A packet that a program drops, and what is to be told of it."""

    reason: Reason
    direction: Direction
    program: str
    packet: Any
    given: Act = nothing
    config: NodeConfig = field(default=MODERN)


def cut(packet: Any, length: int) -> bytes:
    return bytes(packet)[:length]


def spent(packet: Any) -> Any:
    packet[IP].ttl = 1
    return packet


def later_part(packet: Any) -> Any:
    return FROM_ROUTER / packet[IP].fragment(fragsize=800)[1]


LOST = {
    "a pod in another's name": Lost(
        Reason.INVALID_SIP, OUT, "from_container", reply("10.0.1.99", CLIENT)
    ),
    "a pod asks for the gateway in another's name": Lost(
        Reason.INVALID_SIP, OUT, "from_container",
        Ether() / ARP(op=1, psrc="10.0.1.99", pdst=ROUTER),
    ),
    "a pod in its neighbour's name": Lost(
        Reason.INVALID_SIP, OUT, "from_container", reply(NEXT_DOOR, CLIENT), next_door
    ),
    "a pod asks for the gateway in its neighbour's name": Lost(
        Reason.INVALID_SIP, OUT, "from_container",
        Ether() / ARP(op=1, psrc=NEXT_DOOR, pdst=ROUTER), next_door,
    ),
    "to a pod behind another veth": Lost(
        Reason.UNROUTABLE, IN, "to_container", request(ROUTER, NEXT_DOOR), next_door
    ),
    "shorter than its header says": Lost(Reason.INVALID, IN, "from_netdev", cut(request(), 50)),
    "a pod's, shorter than it says": Lost(
        Reason.INVALID, OUT, "from_container", cut(reply(POD, CLIENT), 50)
    ),
    "the node's, shorter than it says": Lost(
        Reason.INVALID, OUT, "from_host", cut(request(ROUTER, POD), 50)
    ),
    "to a pod, shorter than it says": Lost(
        Reason.INVALID, IN, "to_container", cut(request(ROUTER, POD), 50)
    ),
    "half a TCP header": Lost(
        Reason.CT_INVALID_HEADER, IN, "from_netdev",
        FROM_ROUTER / IP(src=CLIENT, dst=VIP, proto=6) / bytes(10),
    ),
    "not IP in the tunnel": Lost(
        Reason.UNKNOWN_L3, IN, "from_overlay", FROM_ROUTER / ARP(op=1, pdst=POD)
    ),
    "out of the tunnel without a key": Lost(
        Reason.NO_TUNNEL_KEY, IN, "from_overlay", request(ROUTER, POD)
    ),
    "into the tunnel without a node": Lost(
        Reason.NO_TUNNEL_ENDPOINT, OUT, "to_overlay", request(ROUTER, REMOTE_POD)
    ),
    "IPv6 into the tunnel of a node that has none": Lost(
        Reason.NO_TUNNEL_ENDPOINT, OUT, "to_overlay",
        FROM_ROUTER / IPv6(src=ROUTER_6, dst=REMOTE_POD_6) / UDP(),
    ),
    "the node's, to a pod that is gone": Lost(
        Reason.UNROUTABLE, OUT, "from_host", request(ROUTER, "10.0.1.99")
    ),
    "to a pod that is gone": Lost(
        Reason.UNROUTABLE, IN, "to_container", request(ROUTER, "10.0.1.99")
    ),
    "no backend": Lost(Reason.NO_SERVICE, IN, "from_netdev", request(), empty),
    "no backend, and the client is told": Lost(
        Reason.NO_SERVICE, IN, "from_netdev", request(), empty,
        replace(MODERN, no_backend=NoBackend.REJECT),
    ),
    "no backend for a pod": Lost(
        Reason.NO_SERVICE, OUT, "from_container", reply(POD, VIP, sport=999, dport=80), empty
    ),
    "no backend for the node": Lost(
        Reason.NO_SERVICE, OUT, "from_host", request(ROUTER, VIP), empty
    ),
    "inside of the cluster only": Lost(
        Reason.IS_CLUSTER_IP, IN, "from_netdev", request(), inner
    ),
    "from another network": Lost(
        Reason.NOT_IN_SRC_RANGE, IN, "from_netdev", request(), guarded
    ),
    "a fragment without a first": Lost(
        Reason.FRAG_NOT_FOUND, IN, "from_netdev",
        later_part(datagram(CLIENT, VIP, data=bytes(1400))),
    ),
    "a pod's fragment without a first": Lost(
        Reason.FRAG_NOT_FOUND, OUT, "from_container",
        FROM_POD / later_part(datagram(POD, CLIENT, data=bytes(1400)))[IP],
    ),
    "the last hop": Lost(Reason.TTL_EXCEEDED, IN, "from_netdev", spent(request()), local),
    "the last hop, to another node": Lost(
        Reason.TTL_EXCEEDED, IN, "from_netdev", spent(request()), remote
    ),
    "the last hop, from pod to pod": Lost(
        Reason.TTL_EXCEEDED, OUT, "from_container", spent(reply(POD, POD2))
    ),
    "the last hop, from pod to pod of another node": Lost(
        Reason.TTL_EXCEEDED, OUT, "from_container", spent(reply(POD, REMOTE_POD))
    ),
    "an error on its last hop, to another node": Lost(
        Reason.TTL_EXCEEDED, IN, "from_netdev",
        FROM_ROUTER / IP(src="192.168.1.1", dst=VIP, ttl=1) / ICMP(type=3, code=4)
        / bytes(IP(src=VIP, dst=CLIENT) / TCP(sport=80, dport=PORT))[:28],
        forwarded,
    ),
    "no port left": Lost(
        Reason.NAT_NO_MAPPING, OUT, "from_netdev", request(sport=1), remote,
        replace(MODERN, snat_ports=NO_PORTS),
    ),
    "no port left, without a tunnel": Lost(
        Reason.NAT_NO_MAPPING, OUT, "from_netdev", request(sport=1), near,
        replace(MODERN, tunnel=False, snat_ports=NO_PORTS),
    ),
    "no port left, in the driver": Lost(
        Reason.NAT_NO_MAPPING, OUT, "xdp_entry", request(sport=1), remote,
        replace(MODERN, snat_ports=NO_PORTS),
    ),
    "no port left for a pod": Lost(
        Reason.NAT_NO_MAPPING, OUT, "to_netdev", FROM_ROUTER / reply(POD, CLIENT, sport=1)[IP],
        nothing, replace(MODERN, snat_ports=NO_PORTS),
    ),
    "no way to translate it": Lost(
        Reason.NAT_UNSUPPORTED_PROTO, OUT, "to_netdev",
        FROM_ROUTER / IP(src=POD, dst=CLIENT, proto=47) / bytes(20),
    ),
    "an error about no flow": Lost(
        Reason.NAT_NO_MAPPING, OUT, "to_netdev",
        FROM_POD / IP(src=POD, dst=CLIENT) / ICMP(type=3, code=3)
        / bytes(IP(src=CLIENT, dst=POD) / UDP(sport=PORT, dport=53))[:28],
    ),
    "no way back to the client": Lost(
        Reason.NO_FIB, OUT, "from_netdev", arriving(reply(REMOTE_POD, ROUTER)), asked
    ),
    "too big to take the service along": Lost(
        Reason.FRAG_NEEDED, OUT, "from_netdev",
        datagram(CLIENT, VIP, dport=80, data=bytes(1470)), near, DSR,
    ),
    "no service to take along": Lost(
        Reason.NO_SERVICE, OUT, "from_netdev", request(), nameless, DSR
    ),
    "no service to take along, in the driver": Lost(
        Reason.NO_SERVICE, OUT, "xdp_entry", request(), nameless, DSR
    ),
}  # fmt: skip


def counted(rig: Rig) -> dict[tuple[int, int], int]:
    """Packets so far by reason and direction; those that went on have reason 0."""
    return {(key.reason, key.dir): value.count for key, value in rig.map(t.METRICS).items()}


@pytest.mark.parametrize("name", LOST)
def test_a_lost_packet_is_counted_once_and_told_once(
    make_rig: Callable[..., Rig], name: str
) -> None:
    lost = LOST[name]
    rig = make_rig(lost.config)
    lost.given(rig)
    before = counted(rig)
    rig.events()
    rig.run(lost.program, lost.packet)
    news = {key: count - before.get(key, 0) for key, count in counted(rig).items()}
    assert {key: count for key, count in news.items() if count} == {
        (lost.reason, lost.direction): 1
    }
    (event,) = rig.events()
    assert (event.type, event.subtype) == (EventType.DROP, lost.reason)


def test_1_10_counts_what_it_shows_before_the_translation_fails(
    make_rig: Callable[..., Rig],
) -> None:
    """It reports a packet on its way to the tunnel first and looks for a port then."""
    rig = make_rig(replace(CONFIG, snat_ports=NO_PORTS))
    remote(rig)
    rig.run("from_netdev", request(sport=1))
    assert counted(rig) == {(Reason.FORWARDED, OUT): 1, (Reason.NAT_NO_MAPPING, OUT): 1}
    assert [event.type for event in rig.events()] == [EventType.TRACE, EventType.DROP]


def test_what_the_driver_drops_it_does_not_send(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(replace(MODERN, snat_ports=NO_PORTS))
    remote(rig)
    assert rig.run("xdp_entry", request(sport=1)).verdict == DROP
