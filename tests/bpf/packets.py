"""Packets of the tests' cluster, as they look on the wire."""

from __future__ import annotations

from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether

from .node import CLIENT, GATEWAY_MAC, NODE_MAC, POD_MAC, VETH_MAC, VIP

PORT = 36946
"""The client's port: within the range that SNAT keeps."""

FROM_ROUTER: Any = Ether(src=GATEWAY_MAC, dst=NODE_MAC)
FROM_POD: Any = Ether(src=POD_MAC, dst=VETH_MAC)
TO_POD: Any = Ether(src=VETH_MAC, dst=POD_MAC)


def ip(src: str, dst: str, hops: int = 64) -> Any:
    """A header of the addresses' family."""
    return IPv6(src=src, dst=dst, hlim=hops) if ":" in dst else IP(src=src, dst=dst, ttl=hops)


def request(
    src: str = CLIENT, dst: str = VIP, *, sport: int = PORT, dport: int = 80, flags: str = "S"
) -> Any:
    """A TCP segment from outside."""
    return FROM_ROUTER / ip(src, dst) / TCP(sport=sport, dport=dport, flags=flags)


def reply(src: str, dst: str, *, sport: int = 80, dport: int = PORT, flags: str = "SA") -> Any:
    """A TCP segment from a pod."""
    return FROM_POD / ip(src, dst) / TCP(sport=sport, dport=dport, flags=flags)


def segment(src: str, dst: str, *, sport: int = PORT, dport: int = 80, flags: str = "S") -> Any:
    """A TCP segment of a connection that a pod opens."""
    return reply(src, dst, sport=sport, dport=dport, flags=flags)


def arriving(packet: Any) -> Any:
    """The same packet as it comes in by the node's uplink."""
    return FROM_ROUTER / packet.payload


def datagram(src: str, dst: str, *, sport: int = PORT, dport: int = 53, data: bytes = b"q") -> Any:
    """A UDP datagram from outside."""
    return FROM_ROUTER / ip(src, dst) / UDP(sport=sport, dport=dport) / data


def ping(src: str, dst: str, *, kind: str = "echo-request", number: int = 7) -> Any:
    """An ICMP echo."""
    if ":" in dst:
        echo = ICMPv6EchoRequest if kind == "echo-request" else ICMPv6EchoReply
        return FROM_ROUTER / ip(src, dst) / echo(id=number, seq=1, data=b"ping")
    return FROM_ROUTER / ip(src, dst) / ICMP(type=kind, id=number, seq=1) / b"ping"


def portless(src: str, dst: str) -> Any:
    """A packet of a protocol that has no ports: GRE."""
    header = IPv6(src=src, dst=dst, nh=47) if ":" in dst else IP(src=src, dst=dst, proto=47)
    return FROM_ROUTER / header / bytes(20)


def network(packet: Any) -> bytes:
    """The packet from its IP header on, with checksums computed."""
    return bytes(packet.getlayer(1))


def same(got: Any, wanted: Any) -> None:
    """Two packets are equal from their IP header on, lengths and checksums included."""
    left, right = network(got), network(wanted)
    assert left == right, (
        f"\ngot    {got.summary()}  {left.hex()}\nwanted {wanted.summary()}  {right.hex()}"
    )
