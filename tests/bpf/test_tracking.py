"""Connection tracking: what is remembered of a flow, for how long, and what of it is reported."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether

from lab.bpf.codes import CtFlag, TupleFlag
from lab.bpf.tables import Table

from .family import BOTH, IPV4, Family
from .node import POD_LABEL
from .packets import PORT, arriving, datagram, reply, request, segment
from .rig import REDIRECT, Backend, Rig


def entry(rig: Rig, table: Table, flags: int) -> Any:
    return next(value for key, value in rig.map(table).items() if key.flags == flags)


def second() -> int:
    """Of the clock that lifetimes are told by; the programs read a coarser one."""
    return int(time.monotonic()) - 1


def lasts(value: Any, lifetime: int, *, since: int) -> bool:
    """Is the entry kept for `lifetime` seconds from a packet that came at `since` or later?"""
    return bool(since + lifetime <= value.lifetime <= int(time.monotonic()) + lifetime)


LIFETIMES = {
    "syn": ("S", 60),
    "established": ("S A", 21600),
    "half closed": ("S A FA", 21600),
    "closed": ("S A FA FA<", 10),
    "reset": ("S A R<", 10),
    "met later": ("A", 21600),
    "at its end": ("FA FA<", 10),
    "over": ("R", 10),
}
"""Flags of a connection's segments, those marked with < from the pod; seconds."""


@BOTH
def test_lifetimes_follow_the_connection(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod)])
    wrong = {}
    since = second()
    for port, (name, (segments, lifetime)) in enumerate(LIFETIMES.items(), PORT):
        for sent in segments.split():
            exchange(dual, family, port, sent)
        ((_, value),) = (
            pair
            for pair in dual.map(family.ct_tcp).items()
            if pair[0].flags == TupleFlag.IN and port in (pair[0].sport, pair[0].dport)
        )
        if not lasts(value, lifetime, since=since):
            wrong[name] = value.lifetime - since
    assert wrong == {}


def exchange(rig: Rig, family: Family, port: int, sent: str) -> None:
    """A segment between the client's port and the pod."""
    if sent.endswith("<"):
        answer = reply(family.pod, family.client, dport=port, flags=sent.rstrip("<"))
        rig.run("from_container", answer)
        return
    rig.run("from_netdev", request(family.client, family.vip, sport=port, flags=sent))


@BOTH
@pytest.mark.parametrize("sent", ["A", "A<"], ids=["client", "pod"])
def test_connection_that_goes_on_after_a_reset_is_remembered(
    dual: Rig, family: Family, sent: str
) -> None:
    """Neither end believes a reset that is out of its window (RFC 5961, 3.2)."""
    dual.service(family.vip, 80, [Backend(family.pod)])
    for flags in ("S", "SA<", "A", "R"):
        exchange(dual, family, PORT, flags)
    table = dual.map(family.ct_tcp)
    key, value = next(pair for pair in table.items() if pair[0].flags == TupleFlag.IN)
    value.lifetime -= 8
    table.update(key, value)
    since = second()
    exchange(dual, family, PORT, sent)
    assert lasts(entry(dual, family.ct_tcp, TupleFlag.IN), 10, since=since)


@BOTH
@pytest.mark.parametrize("flags", ["FA", "R"])
def test_choice_of_a_backend_goes_soon_after_the_client(
    dual: Rig, family: Family, flags: str
) -> None:
    """No replies come by there: the client's end is all that can be seen."""
    dual.service(family.vip, 80, [Backend(family.pod)])
    since = second()
    for sent in ("S", "A", flags, "A"):
        dual.run("from_netdev", request(family.client, family.vip, flags=sent))
    assert lasts(entry(dual, family.ct_tcp, TupleFlag.SERVICE), 10, since=since)


@BOTH
def test_a_closed_flow_is_reported_and_lives_on_for_moments_only(dual: Rig, family: Family) -> None:
    """What still comes is worth a look; it makes no open connection of it."""
    dual.service(family.vip, 80, [Backend(family.pod)])
    for sent in ("S", "A", "FA", "FA<"):
        exchange(dual, family, PORT, sent)
    dual.events()
    since = second()
    for _ in range(2):
        exchange(dual, family, PORT, "A")
    assert len(dual.events()) == 2
    assert lasts(entry(dual, family.ct_tcp, TupleFlag.IN), 10, since=since)


@BOTH
def test_udp_flows_live_a_minute(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 53, [Backend(family.pod)], proto=17)
    since = second()
    dual.run("from_netdev", datagram(family.client, family.vip))
    assert lasts(entry(dual, family.ct_any, TupleFlag.IN), 60, since=since)


@BOTH
def test_expired_entry_is_as_good_as_gone(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod, 1)])
    dual.run("from_netdev", request(family.client, family.vip))
    expire(dual, family)
    dual.service(family.vip, 80, [Backend(family.pod, 2)])
    assert dual.run("from_netdev", request(family.client, family.vip)).frame[TCP].dport == 2


def expire(rig: Rig, family: Family) -> None:
    """Every TCP connection's time is over."""
    table = rig.map(family.ct_tcp)
    for key, value in list(table.items()):
        value.lifetime = 1
        table.update(key, value)


def half_close(rig: Rig, family: Family, _remote: bool) -> None:
    for flags in ("A", "FA"):
        rig.run("from_netdev", request(family.client, family.vip, flags=flags))


def close(rig: Rig, family: Family, remote: bool) -> None:
    half_close(rig, family, remote)
    if remote:
        answer = arriving(reply(family.remote_pod, family.router, flags="FA"))
        assert rig.run("from_netdev", answer).verdict == REDIRECT
        return
    answer = reply(family.pod, family.client, flags="FA")
    assert rig.run("from_container", answer).verdict == REDIRECT


def outlive(rig: Rig, family: Family, _remote: bool) -> None:
    rig.run("from_netdev", request(family.client, family.vip, flags="A"))
    expire(rig, family)


def remembered(rig: Rig, table: Table) -> dict[int, tuple[int, ...]]:
    """All of each entry but its times."""
    counted = ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")
    others = ("flags", "rev_nat_index", "rx_flags_seen", "tx_flags_seen", "src_sec_id", "ifindex")
    return {
        key.flags: tuple(getattr(value, name) for name in (*counted, *others))
        for key, value in rig.map(table).items()
    }


@BOTH
@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
@pytest.mark.parametrize("end", [half_close, close, outlive])
def test_a_port_used_again_begins_a_flow_that_knows_nothing_of_the_old_one(
    dual: Rig, family: Family, remote: bool, end: Callable[[Rig, Family, bool], None]
) -> None:
    """A busy client's ports come again before the old entries are collected."""
    dual.service(family.vip, 80, [Backend(family.remote_pod if remote else family.pod)])
    dual.run("from_netdev", request(family.client, family.vip))
    first = remembered(dual, family.ct_tcp)
    end(dual, family, remote)
    assert remembered(dual, family.ct_tcp) != first
    since = second()
    dual.run("from_netdev", request(family.client, family.vip))
    assert remembered(dual, family.ct_tcp) == first
    assert all(lasts(value, 60, since=since) for _, value in dual.map(family.ct_tcp).items())


@BOTH
def test_counters_and_seen_flags_by_direction(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod)])
    dual.run("from_netdev", request(family.client, family.vip))
    dual.run("from_container", reply(family.pod, family.client))
    dual.run("from_netdev", request(family.client, family.vip, flags="PA"))
    value = entry(dual, family.ct_tcp, TupleFlag.IN)
    assert (value.rx_packets, value.tx_packets) == (2, 1)
    assert (value.rx_flags_seen, value.tx_flags_seen) == (0x02 | 0x18, 0x12)
    assert value.flags & CtFlag.SEEN_NON_SYN


def opening(family: Family) -> dict[str, tuple[str, Any, int, int]]:
    """Programs and first packets; who opens the flow there, and by which interface it came."""
    return {
        "a client, to a pod": ("from_netdev", request(family.client, family.pod), 2, 1),
        "a client, to a remote backend": ("from_netdev", request(family.client, family.vip), 2, 1),
        "a pod": ("from_container", segment(family.pod, family.client), POD_LABEL, 0),
        "the node": ("to_netdev", request(family.node, family.client), 1, 0),
        "the node, to a remote pod": ("from_host", request(family.router, family.remote_pod), 1, 0),
        "the node, to a pod": ("to_container", request(family.router, family.pod), 1, 1),
    }


@BOTH
@pytest.mark.parametrize("name", opening(IPV4))
def test_an_entry_names_its_opener(dual: Rig, family: Family, name: str) -> None:
    """SourceSecurityID of `cilium bpf ct list`: 1 host, 2 world, or a pod's own."""
    program, sent, label, interface = opening(family)[name]
    dual.service(family.vip, 80, [Backend(family.remote_pod)])
    dual.run(program, sent)
    (entry,) = [v for k, v in dual.map(family.ct_tcp).items() if k.flags != TupleFlag.SERVICE]
    assert (entry.src_sec_id, entry.ifindex) == (label, interface)


@BOTH
def test_second_datagram_tells_nothing_new(dual: Rig, family: Family) -> None:
    for program, sent in (
        ("from_netdev", datagram(family.client, family.pod)),
        ("from_container", datagram(family.pod, family.client)),
    ):
        for _ in range(2):
            dual.run(program, sent)
        assert len(dual.events()) == 1


@BOTH
def test_aggregation_reports_what_is_new(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod)])
    for flags in ("S", "A", "PA", "A", "PA", "FA", "A"):
        dual.run("from_netdev", request(family.client, family.vip, flags=flags))
    seen = [str(Ether(event[48:])[TCP].flags) for event in dual.raw_events()]
    assert seen == ["S", "A", "PA", "FA"]
