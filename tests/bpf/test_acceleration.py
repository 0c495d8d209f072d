"""With native acceleration the same becomes of a packet as without it: on the wire, in the maps,
in events, and in the counters of drops.

Two nodes get the same packets. One has only tc's program; on the other the driver's program is
asked first, and what it leaves goes on to tc's.

What cannot be the same: a packet that turns around in the driver does not leave by to_netdev, which
would tell that it did (to-network) and count it. Nobody has computed the packet's hash so early.
Replies out of a tunnel are not compared here: no test packet comes with a tunnel's metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    fragment6,
)

from lab.bpf import structs as s
from lab.bpf.codes import (
    Aggregation,
    BackendState,
    EventType,
    ServiceFlag,
    ServiceFlag2,
    SourceRange,
)
from lab.bpf.config import NodeConfig

from .family import BOTH, IPV4, Family
from .node import DUAL, MODERN, NODE2, POD_LABEL, direct
from .packets import FROM_ROUTER, PORT, datagram, ip, ping, reply, request
from .rig import EXPOSED, REDIRECT, SHOT, Backend, Rig
from .running import Outcome
from .source_ranges import listed
from .xdp import DROP, PASS, SENT

NATIVE = replace(DUAL, tunnel=False)
DSR = direct(DUAL)
CONFIGS = {
    "1.10": DUAL,
    "modern": replace(MODERN, ipv6=DUAL.ipv6),
    "native": NATIVE,
    "direct": DSR,
}
TUNNEL_HEADERS = 50


def with_hops(packet: Any, hops: int) -> Any:
    packet[1].setfieldval("hlim" if IPv6 in packet else "ttl", hops)
    return packet


def without_checksum(packet: Any) -> Any:
    packet[UDP].chksum = 0
    return packet


def parts(packet: Any) -> list[Any]:
    if IP in packet:
        return [FROM_ROUTER / part for part in packet[IP].fragment(fragsize=800)]
    whole = IPv6(src=packet[IPv6].src, dst=packet[IPv6].dst) / IPv6ExtHdrFragment(id=5)
    pieces: list[Any] = fragment6(whole / packet[UDP], 848)
    return [FROM_ROUTER / piece for piece in pieces]


def with_options(family: Family) -> Any:
    if family is IPV4:
        return IP(src=family.client, dst=family.vip, options=b"\x94\x04\0\0")
    return ip(family.client, family.vip) / IPv6ExtHdrDestOpt()


def unreachable(family: Family) -> Any:
    about = bytes(ip(family.node, family.remote_pod) / UDP(sport=PORT, dport=53))
    told = ICMP(type=3, code=1) if family is IPV4 else ICMPv6DestUnreach(code=3)
    return FROM_ROUTER / ip(family.node2, family.node) / told / about


def packets(family: Family) -> dict[str, list[Any]]:
    client, vip, node, pod = family.client, family.vip, family.node, family.remote_pod
    sticky, guarded, empty, leaving = services(family)
    stranger = family.near(client, 0x100)
    large = datagram(client, vip, data=bytes(1400))

    def asked(dst: str = vip, **fields: Any) -> Any:
        return request(client, dst, **fields)

    def answered(**fields: Any) -> Any:
        return FROM_ROUTER / reply(pod, node, **fields).payload

    return {
        "a connection": [asked(flags=flags) for flags in ("S", "A", "PA", "FA", "A")],
        "reset and opened again": [asked(flags=flags) for flags in ("S", "A", "R", "S", "A")],
        "closed and opened again": [asked(flags=flags) for flags in ("S", "FA", "S")],
        "in the middle": [asked(flags="A"), asked(flags="PA")],
        "datagrams": [datagram(client, vip), datagram(client, vip)],
        "no checksum": [without_checksum(datagram(client, vip))],
        "fragments": parts(large),
        "fragments in the wrong order": parts(large)[::-1],
        "last hop": [asked(), with_hops(asked(flags="A"), 1)],
        "first on its last hop": [with_hops(asked(), 1)],
        "options": [FROM_ROUTER / with_options(family) / TCP(sport=PORT, dport=80, flags="S")],
        "too big for the tunnel": [datagram(client, vip, data=bytes(family.room - 12))],
        "full size": [datagram(client, vip, data=bytes(family.room))],
        "padded": [bytes(asked()) + bytes(6)],
        "nobody answers": [asked(empty)],
        "refused": [asked(guarded), request(stranger, guarded)],
        "sticky": [asked(sticky, sport=port) for port in (40000, 40001)],
        "terminating": [asked(leaving, flags=flags) for flags in ("S", "A", "S")],
        "another port": [asked(dport=81)],
        "cluster IP": [asked(family.cluster_ip)],
        "ping": [ping(client, vip)],
        "node": [asked(node, dport=22), datagram(client, node, dport=PORT)],
        "an error": [unreachable(family)],
        "low port": [asked(sport=1)],
        "two from low ports": [asked(sport=1), asked(sport=2)],
        "answered": [
            asked(),
            answered(),
            answered(flags="FA"),
            asked(flags="FA"),
            with_hops(answered(flags="A"), 1),
            answered(dport=1),
        ],
    }


def services(family: Family) -> list[str]:
    """Sticky, guarded, empty, leaving."""
    return [family.near(family.vip, n) for n in (1, 2, 3, 4)]


@dataclass(frozen=True)
class Seen:
    """What became of packets, with chance and time left out."""

    sent: list[tuple[str, bytes]] = field(default_factory=list)
    entries: Mapping[str, Any] = field(default_factory=dict)
    connections: Mapping[bytes, tuple[int, ...]] = field(default_factory=dict)
    events: list[bytes] = field(default_factory=list)
    dropped: Mapping[int, int] = field(default_factory=dict)


@BOTH
@pytest.mark.parametrize("aggregation", [Aggregation.NONE, Aggregation.MEDIUM])
@pytest.mark.parametrize("config", CONFIGS)
def test_acceleration_changes_nothing_but_the_place(
    make_rig: Callable[..., Rig], config: str, aggregation: Aggregation, family: Family
) -> None:
    node = replace(CONFIGS[config], aggregation=aggregation)
    plain, accelerated = (cluster(make_rig, node, family) for _ in range(2))
    tables = family.flow_tables
    for name, sent in packets(family).items():
        wanted = seen(plain, family, [slow(plain, bytes(packet)) for packet in sent])
        got = seen(accelerated, family, [fast(accelerated, bytes(packet)) for packet in sent])
        assert got == wanted, name
        for rig, table in product((plain, accelerated), tables):
            rig.map(table).delete_raw([key for key, _ in rig.map(table).raw_items()])


def cluster(make_rig: Callable[..., Rig], config: NodeConfig, family: Family) -> Rig:
    # One port to take for those that cannot keep theirs: which one is chance.
    rig = make_rig(replace(config, snat_ports=(PORT, PORT)))
    if not config.tunnel:
        rig.identity(family.remote_pod, POD_LABEL)
        rig.route(family.remote_pod, family.node2)
    far = [Backend(family.remote_pod)]
    sticky, guarded, empty, leaving = services(family)
    rig.service(family.vip, 80, far)
    rig.service(family.vip, 53, far, proto=17)
    rig.service(empty, 80, [])
    rig.service(sticky, 80, far, flags=EXPOSED | ServiceFlag.AFFINITY, affinity=60)
    rig.service(family.cluster_ip, 80, far, flags=0)
    rig.service(leaving, 80, [Backend(family.remote_pod, 81, BackendState.TERMINATING)])
    flags = EXPOSED | ServiceFlag.SOURCE_RANGE
    index = rig.service(guarded, 80, far, flags=flags, flags2=ServiceFlag2.SOURCE_RANGE_DENY)
    listed(rig, index, family.near(family.client, 0x100), SourceRange.DENY)
    return rig


def slow(rig: Rig, packet: bytes) -> tuple[str, bytes]:
    return told(rig.run("from_netdev", packet))


def fast(rig: Rig, packet: bytes) -> tuple[str, bytes]:
    out = rig.run("xdp_entry", packet)
    if out.verdict == PASS:
        assert out.packet == packet
        return slow(rig, packet)
    if out.verdict == DROP:
        return told(out)
    assert out.verdict == SENT
    frame = out.frame
    inside = IP in frame and frame[IP].dst == NODE2 and UDP in frame and frame[UDP].dport == 8472
    return "sent", out.packet[14 + (TUNNEL_HEADERS if inside else 0) :]


def told(out: Outcome) -> tuple[str, bytes]:
    if out.verdict in (SHOT, DROP):
        return "dropped", b""
    return "sent" if out.verdict == REDIRECT else "to the stack", out.packet[14:]


def seen(rig: Rig, family: Family, sent: list[tuple[str, bytes]]) -> Seen:
    connections = {
        bytes(key): (v.flags, v.rev_nat_index, v.rx_bytes, v.tx_bytes, v.rx_packets, v.tx_packets)
        for table in (family.ct_tcp, family.ct_any)
        for key, v in rig.map(table).items()
    }
    tables = family.flow_tables
    entries = {each.name: {key for key, _ in rig.map(each).raw_items()} for each in tables}
    return Seen(sent, entries, connections, list(map(timeless, rig.raw_events())), rig.dropped())


def timeless(raw: bytes) -> bytes:
    """An event without the packet's hash and the interface, which the bench has two of."""
    event = (s.drop_notify if raw[0] == EventType.DROP else s.trace_notify).parse(raw)
    event.hash = event.ifindex = 0
    return bytes(event) + raw[48:]
