"""With native acceleration the same becomes of a packet as without it: on the wire, in the maps,
and in the counters of drops.

Two nodes get the same packets. One has only tc's program; on the other the driver's program is
asked first, and what it leaves goes on to tc's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from itertools import product
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import BackendState, ServiceFlag, ServiceFlag2, SourceRange
from lab.bpf.config import Forwarding, NodeConfig
from lab.bpf.layout import packed

from .node import CLIENT, CONFIG, MODERN, NODE, NODE2, POD_LABEL, REMOTE_POD, VIP
from .packets import FROM_ROUTER, PORT, datagram, ping, reply, request
from .rig import EXPOSED, REDIRECT, SHOT, Backend, Outcome, Rig
from .test_xdp import DROP, PASS, SENT

NATIVE = replace(CONFIG, tunnel=False)
DSR = replace(NATIVE, forwarding=Forwarding.DSR)
CONFIGS = {"1.10": CONFIG, "modern": MODERN, "native": NATIVE, "direct": DSR}
TUNNEL_HEADERS = 50
STICKY, GUARDED, EMPTY, LEAVING = (f"172.16.10.{n}" for n in (1, 2, 3, 4))
FLOW_TABLES = (t.CT_TCP, t.CT_ANY, t.SNAT, t.AFFINITY, t.FRAGMENTS)


def with_ttl(packet: Any, ttl: int) -> Any:
    packet[IP].ttl = ttl
    return packet


def without_checksum(packet: Any) -> Any:
    packet[UDP].chksum = 0
    return packet


def parts(packet: Any) -> list[Any]:
    return [FROM_ROUTER / part for part in packet[IP].fragment(fragsize=800)]


OPTIONS = IP(src=CLIENT, dst=VIP, options=b"\x94\x04\0\0")
PACKETS: dict[str, list[Any]] = {
    "a connection": [request(flags=flags) for flags in ("S", "A", "PA", "FA", "A")],
    "reset and opened again": [request(flags=flags) for flags in ("S", "A", "R", "S", "A")],
    "closed and opened again": [request(flags=flags) for flags in ("S", "FA", "S")],
    "in the middle": [request(flags="A"), request(flags="PA")],
    "datagrams": [datagram(CLIENT, VIP), datagram(CLIENT, VIP)],
    "no checksum": [without_checksum(datagram(CLIENT, VIP))],
    "fragments": parts(datagram(CLIENT, VIP, data=bytes(1400))),
    "fragments in the wrong order": parts(datagram(CLIENT, VIP, data=bytes(1400)))[::-1],
    "last hop": [request(), with_ttl(request(flags="A"), 1)],
    "first on its last hop": [with_ttl(request(), 1)],
    "options": [FROM_ROUTER / OPTIONS / TCP(sport=PORT, dport=80, flags="S")],
    "too big for the tunnel": [datagram(CLIENT, VIP, data=bytes(1460))],
    "full size": [datagram(CLIENT, VIP, data=bytes(1472))],
    "padded": [bytes(request()) + bytes(6)],
    "nobody answers": [request(dst=EMPTY)],
    "refused": [request(dst=GUARDED), request(src="192.168.11.1", dst=GUARDED)],
    "sticky": [request(dst=STICKY, sport=port) for port in (40000, 40001)],
    "terminating": [request(dst=LEAVING, flags=flags) for flags in ("S", "A", "S")],
    "another port": [request(dport=81)],
    "cluster IP": [request(dst="10.96.0.10")],
    "ping": [ping(CLIENT, VIP)],
    "node": [request(dst=NODE, dport=22), datagram(CLIENT, NODE, dport=PORT)],
    "an error": [
        FROM_ROUTER / IP(src=NODE2, dst=NODE) / ICMP(type=3, code=1)
        / bytes(IP(src=NODE, dst=REMOTE_POD) / UDP(sport=PORT, dport=53))[:28]
    ],
    "low port": [request(sport=1)],
    "answered": [
        request(),
        FROM_ROUTER / reply(REMOTE_POD, NODE).payload,
        FROM_ROUTER / reply(REMOTE_POD, NODE, flags="FA").payload,
        request(flags="FA"),
        with_ttl(FROM_ROUTER / reply(REMOTE_POD, NODE, flags="A").payload, 1),
        FROM_ROUTER / reply(REMOTE_POD, NODE, dport=1).payload,
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What became of packets, with chance and time left out."""

    sent: list[tuple[str, bytes]] = field(default_factory=list)
    entries: Mapping[str, Any] = field(default_factory=dict)
    connections: Mapping[bytes, tuple[int, ...]] = field(default_factory=dict)
    dropped: Mapping[int, int] = field(default_factory=dict)


@pytest.mark.parametrize("config", CONFIGS)
def test_acceleration_changes_nothing_but_the_place(
    make_rig: Callable[..., Rig], config: str
) -> None:
    plain, accelerated = (cluster(make_rig, CONFIGS[config]) for _ in range(2))
    for name, packets in PACKETS.items():
        wanted = seen(plain, [slow(plain, bytes(packet)) for packet in packets])
        got = seen(accelerated, [fast(accelerated, bytes(packet)) for packet in packets])
        assert got == wanted, name
        for rig, table in product((plain, accelerated), FLOW_TABLES):
            rig.map(table).delete_raw([key for key, _ in rig.map(table).raw_items()])


def cluster(make_rig: Callable[..., Rig], config: NodeConfig) -> Rig:
    # One port to take for those that cannot keep theirs: which one is chance.
    rig = make_rig(replace(config, snat_ports=(PORT, PORT)))
    if not config.tunnel:
        rig.identity(REMOTE_POD, POD_LABEL)
        rig.route(REMOTE_POD, NODE2)
    far = [Backend(REMOTE_POD)]
    rig.service(VIP, 80, far)
    rig.service(VIP, 53, far, proto=17)
    rig.service(EMPTY, 80, [])
    rig.service(STICKY, 80, far, flags=EXPOSED | ServiceFlag.AFFINITY, affinity=60)
    rig.service("10.96.0.10", 80, far, flags=0)
    rig.service(LEAVING, 80, [Backend(REMOTE_POD, 81, BackendState.TERMINATING)])
    guarded = rig.service(
        GUARDED,
        80,
        far,
        flags=EXPOSED | ServiceFlag.SOURCE_RANGE,
        flags2=ServiceFlag2.SOURCE_RANGE_DENY,
    )
    network = packed(ip_address("192.168.11.0"))
    key = s.lb4_src_range_key(prefixlen=32 + 24, rev_nat_id=guarded, addr=network)
    rig.map(t.SOURCE_RANGE).update(key, t.Listed(SourceRange.DENY))
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
    inside = frame[IP].dst == NODE2 and UDP in frame and frame[UDP].dport == 8472
    return "sent", out.packet[14 + (TUNNEL_HEADERS if inside else 0) :]


def told(out: Outcome) -> tuple[str, bytes]:
    if out.verdict in (SHOT, DROP):
        return "dropped", b""
    return "sent" if out.verdict == REDIRECT else "to the stack", out.packet[14:]


def seen(rig: Rig, sent: list[tuple[str, bytes]]) -> Seen:
    connections = {
        bytes(key): (v.flags, v.rev_nat_index, v.rx_bytes, v.tx_bytes, v.rx_packets, v.tx_packets)
        for table in (t.CT_TCP, t.CT_ANY)
        for key, v in rig.map(table).items()
    }
    entries = {each.name: {key for key, _ in rig.map(each).raw_items()} for each in FLOW_TABLES}
    return Seen(sent, entries, connections, rig.dropped())
