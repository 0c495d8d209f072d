"""Connection tracking, source NAT and fragments: what is remembered, for how long, and how full."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from lab.bpf import tables as t
from lab.bpf.codes import CtFlag, Reason, TupleFlag

from .node import CLIENT, CONFIG, NODE, POD, REMOTE_POD, ROUTER, VIP
from .packets import FROM_ROUTER, PORT, arriving, datagram, reply, request
from .rig import REDIRECT, SHOT, Backend, Rig


def entry(rig: Rig, flags: int, table: Any = t.CT_TCP) -> Any:
    return next(value for key, value in rig.map(table).items() if key.flags == flags)


def seconds_left(value: Any) -> float:
    return float(value.lifetime - time.clock_gettime(time.CLOCK_MONOTONIC))


@pytest.mark.parametrize(
    ("sent", "lifetime"),
    [
        ("S", 60),
        ("SA", 21600),
        ("SAF", 21600),
        ("SAFf", 10),
        ("SAR", 10),
        ("A", 21600),
        ("Ff", 10),
        ("r", 10),
    ],
    ids=["syn", "established", "half closed", "closed", "reset", "met later", "at its end", "over"],
)
def test_lifetimes_follow_the_connection(rig: Rig, sent: str, lifetime: int) -> None:
    rig.service(VIP, 80, [Backend(POD)])
    packets = {
        "S": lambda: rig.run("from_netdev", request()),
        "A": lambda: rig.run("from_netdev", request(flags="A")),
        "F": lambda: rig.run("from_netdev", request(flags="FA")),
        "f": lambda: rig.run("from_container", reply(POD, CLIENT, flags="FA")),
        "R": lambda: rig.run("from_container", reply(POD, CLIENT, flags="R")),
        "r": lambda: rig.run("from_netdev", request(flags="R")),
    }
    for step in sent:
        packets[step]()
    assert lifetime - 3 <= seconds_left(entry(rig, TupleFlag.IN)) <= lifetime + 1


@pytest.mark.parametrize("flags", ["FA", "R"])
def test_choice_of_a_backend_goes_soon_after_the_client(rig: Rig, flags: str) -> None:
    """No replies come by there: the client's end is all that can be seen."""
    rig.service(VIP, 80, [Backend(POD)])
    for sent in ("S", "A", flags, "A"):
        rig.run("from_netdev", request(flags=sent))
    assert 7 <= seconds_left(entry(rig, TupleFlag.SERVICE)) <= 11


def test_udp_flows_live_a_minute(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(POD)], proto=17)
    rig.run("from_netdev", datagram(CLIENT, VIP))
    assert 57 <= seconds_left(entry(rig, TupleFlag.IN, t.CT_ANY)) <= 61


def test_expired_entry_is_as_good_as_gone(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 1)])
    rig.run("from_netdev", request())
    table = rig.map(t.CT_TCP)
    for key, value in list(table.items()):
        value.lifetime = 1
        table.update(key, value)
    rig.service(VIP, 80, [Backend(POD, 2)])
    assert rig.run("from_netdev", request()).frame[TCP].dport == 2


def half_close(rig: Rig, _backend: str, _back: str) -> None:
    rig.run("from_netdev", request(flags="A"))
    rig.run("from_netdev", request(flags="FA"))


def close(rig: Rig, backend: str, back: str) -> None:
    half_close(rig, backend, back)
    answer = reply(backend, back, flags="FA")
    if backend == POD:
        out = rig.run("from_container", answer)
    else:
        out = rig.run("from_netdev", arriving(answer))
    assert out.verdict == REDIRECT


def expire(rig: Rig, _backend: str, _back: str) -> None:
    rig.run("from_netdev", request(flags="A"))
    table = rig.map(t.CT_TCP)
    for key, value in list(table.items()):
        value.lifetime = 1
        table.update(key, value)


def remembered(rig: Rig) -> dict[int, tuple[int, ...]]:
    """All of each entry but its times."""
    counted = ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")
    others = ("flags", "rev_nat_index", "rx_flags_seen", "tx_flags_seen", "src_sec_id", "ifindex")
    return {
        key.flags: tuple(getattr(value, name) for name in (*counted, *others))
        for key, value in rig.map(t.CT_TCP).items()
    }


@pytest.mark.parametrize("end", [half_close, close, expire])
@pytest.mark.parametrize(("backend", "back"), [(POD, CLIENT), (REMOTE_POD, ROUTER)])
def test_a_port_used_again_begins_a_flow_that_knows_nothing_of_the_old_one(
    rig: Rig, backend: str, back: str, end: Callable[[Rig, str, str], None]
) -> None:
    """A busy client's ports come again before the old entries are collected."""
    rig.service(VIP, 80, [Backend(backend)])
    rig.run("from_netdev", request())
    first = remembered(rig)
    end(rig, backend, back)
    assert remembered(rig) != first
    rig.run("from_netdev", request())
    assert remembered(rig) == first
    left = [seconds_left(value) for _, value in rig.map(t.CT_TCP).items()]
    assert all(57 <= seconds <= 61 for seconds in left)


def test_counters_and_seen_flags_by_direction(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD)])
    rig.run("from_netdev", request())
    rig.run("from_container", reply(POD, CLIENT))
    rig.run("from_netdev", request(flags="PA"))
    value = entry(rig, TupleFlag.IN)
    assert (value.rx_packets, value.tx_packets) == (2, 1)
    assert (value.rx_flags_seen, value.tx_flags_seen) == (0x02 | 0x18, 0x12)
    assert value.flags & CtFlag.SEEN_NON_SYN


def test_aggregation_reports_what_is_new(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD)])
    sent = ["S", "A", "PA", "A", "PA", "FA", "A"]
    for flags in sent:
        rig.run("from_netdev", request(flags=flags))
    seen = [str(Ether(event[48:])[TCP].flags) for event in rig.raw_events()]
    assert seen == ["S", "A", "PA", "FA"]


def test_many_clients_with_one_port_get_ports_of_their_own(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(CONFIG, {t.CT_TCP.name: 4096, t.SNAT.name: 4096})
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    clients = [f"192.168.10.{number}" for number in range(1, 41)]
    ports = [rig.run("from_netdev", request(client)).frame[TCP].sport for client in clients]
    assert ports[0] == PORT, "the first keeps its own"
    assert len(set(ports)) == len(clients)
    for client, port in zip(clients, ports, strict=True):
        back = rig.run("from_netdev", arriving(reply(REMOTE_POD, ROUTER, dport=port)))
        assert (back.frame[IP].dst, back.frame[TCP].dport) == (client, PORT)


@pytest.mark.parametrize("half", [TupleFlag.IN, TupleFlag.OUT], ids=["reply", "request"])
def test_lost_mapping_is_made_again(rig: Rig, half: TupleFlag) -> None:
    """A table under pressure may evict either half of a flow's translation."""
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    rig.run("from_netdev", request())
    table = rig.map(t.SNAT)
    table.delete(next(key for key, _ in table.items() if key.flags == half))
    out = rig.run("from_netdev", request(flags="A"))
    assert (out.verdict, out.frame[TCP].sport) == (REDIRECT, PORT)
    back = arriving(reply(REMOTE_POD, ROUTER))
    assert rig.run("from_netdev", back).frame[IP].dst == CLIENT


def test_port_below_the_range_is_replaced(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    out = rig.run("from_netdev", request(sport=1000))
    assert 32768 <= out.frame[TCP].sport <= 65535
    back = rig.run("from_netdev", arriving(reply(REMOTE_POD, ROUTER, dport=out.frame[TCP].sport)))
    assert back.frame[TCP].dport == 1000


def test_exhausted_ports_are_a_counted_drop(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(replace(CONFIG, snat_ports=(40000, 40003)))
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    got = [rig.run("from_netdev", request(sport=port)).verdict for port in range(50000, 50006)]
    assert got == [REDIRECT] * 4 + [SHOT] * 2
    assert rig.dropped() == {Reason.NAT_NO_MAPPING: 2}


def test_masquerade_of_an_unknown_protocol_is_refused(rig: Rig) -> None:
    sent = FROM_ROUTER / IP(src=POD, dst=CLIENT, proto=47) / bytes(20)
    assert rig.run("to_netdev", sent).verdict == SHOT
    assert rig.dropped() == {Reason.NAT_UNSUPPORTED_PROTO: 1}


def udp_bytes(src: str, dst: str, dport: int, data: bytes) -> bytes:
    """A UDP header with its checksum, and data."""
    whole: Any = Ether() / IP(src=src, dst=dst) / UDP(sport=PORT, dport=dport) / data
    return bytes(whole)[34:]


def fragments(src: str, dst: str, data: bytes, number: int = 77) -> list[Any]:
    """A UDP datagram to port 53 in pieces of 64 bytes."""
    whole = udp_bytes(src, dst, 53, data)
    pieces = []
    for at in range(0, len(whole), 64):
        more = "MF" if at + 64 < len(whole) else 0
        header = IP(src=src, dst=dst, id=number, proto=17, frag=at // 8, flags=more)
        pieces.append(FROM_ROUTER / header / whole[at : at + 64])
    return pieces


def test_fragments_follow_the_first_and_fit_together(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD, 5353)], proto=17)
    data = bytes(range(200))
    sent = [rig.run("from_netdev", piece) for piece in fragments(CLIENT, VIP, data)]
    assert [out.verdict for out in sent] == [REDIRECT] * 4
    assert {(out.frame[IP].src, out.frame[IP].dst) for out in sent} == {(ROUTER, REMOTE_POD)}
    joined = b"".join(bytes(out.frame[IP].payload) for out in sent)
    assert joined == udp_bytes(ROUTER, REMOTE_POD, 5353, data)


def test_fragment_before_the_first_is_a_drop(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD)], proto=17)
    pieces = fragments(CLIENT, VIP, bytes(200))
    assert rig.run("from_netdev", pieces[1]).verdict == SHOT
    assert rig.dropped() == {Reason.FRAG_NOT_FOUND: 1}


def test_fragments_of_two_datagrams_do_not_mix(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(REMOTE_POD)], proto=17)
    rig.run("from_netdev", fragments(CLIENT, VIP, bytes(200), 1)[0])
    assert rig.run("from_netdev", fragments(CLIENT, VIP, bytes(200), 2)[1]).verdict == SHOT


def test_reply_to_the_node_itself_is_not_translated(rig: Rig) -> None:
    sent = request(CLIENT, NODE, sport=179, dport=40000, flags="SA")
    out = rig.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (0, bytes(sent))


def test_port_of_a_socket_of_the_node_is_no_pods(rig: Rig) -> None:
    """The replies to the pod would be the socket's."""

    def open_socket() -> socket.socket:
        asks = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asks.bind((NODE, PORT))
        asks.connect((CLIENT, 53))
        return asks

    with rig.inside(open_socket):
        taken = rig.run("to_netdev", datagram(POD, CLIENT)).frame
    assert taken[IP].src == NODE
    assert taken[UDP].sport != PORT
