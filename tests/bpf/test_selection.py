"""Which backend a packet gets, and who may have one at all."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

from scapy.layers.inet import TCP

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import (
    Algorithm,
    BackendState,
    Reason,
    Scope,
    ServiceFlag,
    ServiceFlag2,
    SourceRange,
)
from lab.bpf.config import NoBackend
from lab.bpf.layout import packed
from lab.bpf.maglev import read, share

from .node import CLIENT, CONFIG, POD, VIP
from .packets import datagram, reply, request
from .rig import EXPOSED, REDIRECT, SHOT, Backend, Rig

FIVE = [Backend(POD, port) for port in range(1, 6)]


def ports(rig: Rig, sports: range, src: str = CLIENT) -> Counter[int]:
    """How often each backend (told by its port) was chosen for new flows."""
    return Counter(
        rig.run("from_netdev", request(src, sport=sport)).frame[TCP].dport for sport in sports
    )


def test_random_spreads_new_flows_over_all_backends(rig: Rig) -> None:
    rig.service(VIP, 80, FIVE)
    chosen = ports(rig, range(40000, 40250))
    assert set(chosen) == {1, 2, 3, 4, 5}
    assert max(chosen.values()) < 100


def test_affinity_keeps_a_client_whatever_its_port(rig: Rig) -> None:
    rig.service(VIP, 80, FIVE, flags=EXPOSED | ServiceFlag.AFFINITY, affinity=10800)
    assert len(ports(rig, range(40000, 40030))) == 1
    spread = {next(iter(ports(rig, range(1, 2), src=f"192.168.10.{n}"))) for n in range(20, 60)}
    assert spread == {1, 2, 3, 4, 5}


def test_affinity_ends_with_its_time(rig: Rig) -> None:
    rig.service(VIP, 80, FIVE, flags=EXPOSED | ServiceFlag.AFFINITY, affinity=10800)
    ports(rig, range(40000, 40001))
    table = rig.map(t.AFFINITY)
    ((key, value),) = list(table.items())
    value.last_used -= 10801
    seen = set()
    for sport in range(41000, 41060):
        table.update(key, value)
        seen |= set(ports(rig, range(sport, sport + 1)))
    assert len(seen) > 1


def test_affinity_lasts_its_whole_time(rig: Rig) -> None:
    """Its clock has whole seconds: where one of them is over, less than one may have passed."""
    rig.service(VIP, 80, FIVE, flags=EXPOSED | ServiceFlag.AFFINITY, affinity=1)
    (first,) = ports(rig, range(40000, 40001))
    table = rig.map(t.AFFINITY)
    ((key, value),) = list(table.items())
    seen = set()
    for sport in range(41000, 41060):
        now = int(time.monotonic())
        value.last_used = now - 1
        table.update(key, value)
        found = ports(rig, range(sport, sport + 1))
        if now == int(time.monotonic()):
            seen |= set(found)
    assert seen == {first}


def test_affinity_forgets_a_backend_that_left(rig: Rig) -> None:
    index = rig.service(VIP, 80, FIVE, flags=EXPOSED | ServiceFlag.AFFINITY, affinity=10800)
    (first,) = ports(rig, range(40000, 40001))
    left = rig.backend(Backend(POD, first))
    rig.map(t.AFFINITY_MATCH).delete(s.lb_affinity_match(backend_id=left, rev_nat_id=index))
    rig.service(VIP, 80, [b for b in FIVE if b.port != first], flags=EXPOSED)
    assert first not in ports(rig, range(41000, 41020))


def test_source_ranges_admit_only_listed_clients(rig: Rig) -> None:
    index = rig.service(VIP, 80, [Backend(POD)], flags=EXPOSED | ServiceFlag.SOURCE_RANGE)
    listed(rig, index, "192.168.10.0/24", SourceRange.ALLOW)
    listed(rig, index, "192.168.12.0/24", SourceRange.DENY)
    assert rig.run("from_netdev", request()).verdict == REDIRECT
    assert rig.run("from_netdev", request(src="192.168.11.1")).verdict == SHOT
    assert rig.run("from_netdev", request(src="192.168.12.1")).verdict == SHOT
    assert rig.dropped() == {Reason.NOT_IN_SRC_RANGE: 2}


def test_source_ranges_can_deny(rig: Rig) -> None:
    flags2 = ServiceFlag2.SOURCE_RANGE_DENY
    index = rig.service(
        VIP, 80, [Backend(POD)], flags=EXPOSED | ServiceFlag.SOURCE_RANGE, flags2=flags2
    )
    listed(rig, index, "192.168.10.0/24", SourceRange.DENY)
    listed(rig, index, "192.168.12.0/24", SourceRange.ALLOW)
    assert rig.run("from_netdev", request()).verdict == SHOT
    for other in ("192.168.11.1", "192.168.12.1"):
        assert rig.run("from_netdev", request(src=other)).verdict == REDIRECT


def test_two_scopes_serve_outside_and_inside_differently(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 1)], flags2=ServiceFlag2.TWO_SCOPES)
    rig.service(VIP, 80, [Backend(POD, 2)], flags2=ServiceFlag2.TWO_SCOPES, scope=Scope.INTERNAL)
    assert rig.run("from_netdev", request()).frame[TCP].dport == 1
    inside = reply("10.0.1.6", VIP, sport=41000, dport=80, flags="S")
    assert rig.run("from_container", inside).frame[TCP].dport == 2


def test_one_scope_serves_both(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 1)])
    inside = reply("10.0.1.6", VIP, sport=41000, dport=80, flags="S")
    assert rig.run("from_container", inside).frame[TCP].dport == 1


def test_terminating_backend_keeps_its_flows_and_gets_no_new_ones(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 1)])
    rig.run("from_netdev", request())
    rig.backend(Backend(POD, 1, BackendState.TERMINATING))
    rig.service(
        VIP, 80, [Backend(POD, 2), Backend(POD, 1, BackendState.TERMINATING)], terminating=1
    )
    assert rig.run("from_netdev", request(flags="A")).frame[TCP].dport == 1
    assert ports(rig, range(40000, 40020)) == {2: 20}


def test_syn_on_the_port_of_a_terminating_flow_is_a_new_one(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 1)])
    rig.run("from_netdev", request())
    rig.service(
        VIP, 80, [Backend(POD, 2), Backend(POD, 1, BackendState.TERMINATING)], terminating=1
    )
    assert rig.run("from_netdev", request()).frame[TCP].dport == 2


def test_only_terminating_backends_left_are_used(rig: Rig) -> None:
    rig.service(VIP, 80, [Backend(POD, 1, BackendState.TERMINATING)])
    assert rig.run("from_netdev", request()).frame[TCP].dport == 1


def test_service_without_backends_is_dropped_when_asked_for(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(replace(CONFIG, no_backend=NoBackend.DROP))
    rig.service(VIP, 80, [])
    assert rig.run("from_netdev", request()).verdict == SHOT
    assert rig.dropped() == {Reason.NO_SERVICE: 1}


def test_removed_backend_without_successor_is_a_drop(rig: Rig) -> None:
    rig.service(VIP, 53, [Backend(POD, 1)], proto=17)
    rig.map(t.BACKENDS).delete(t.BackendId(1))
    assert rig.run("from_netdev", datagram(CLIENT, VIP)).verdict == SHOT
    assert rig.dropped() == {Reason.NO_SERVICE: 1}


def test_maglev_chooses_by_client_not_by_chance(rig: Rig, make_rig: Callable[..., Rig]) -> None:
    from_two_nodes = []
    for node in (rig, make_rig()):
        index = node.service(VIP, 80, FIVE, algorithm=Algorithm.MAGLEV)
        node.maglev(index, [1 + n % 5 for n in range(CONFIG.maglev_size)])
        from_two_nodes.append(
            [
                node.run("from_netdev", request(sport=p)).frame[TCP].dport
                for p in range(40000, 40060)
            ]
        )
    assert from_two_nodes[0] == from_two_nodes[1]
    assert set(from_two_nodes[0]) == {1, 2, 3, 4, 5}


def test_maglev_with_affinity_leaves_the_port_out(rig: Rig) -> None:
    flags = EXPOSED | ServiceFlag.AFFINITY
    index = rig.service(VIP, 80, FIVE, flags=flags, affinity=1, algorithm=Algorithm.MAGLEV)
    rig.maglev(index, [1 + n % 5 for n in range(CONFIG.maglev_size)])
    seen = set()
    for sport in range(40000, 40020):
        for key, _ in list(rig.map(t.AFFINITY).items()):
            rig.map(t.AFFINITY).delete(key)
        seen |= set(ports(rig, range(sport, sport + 1)))
    assert len(seen) == 1


def test_maglev_without_a_table_falls_back_to_random(rig: Rig) -> None:
    rig.service(VIP, 80, FIVE, algorithm=Algorithm.MAGLEV)
    assert rig.run("from_netdev", request()).verdict == REDIRECT


def test_maglev_tables_are_read_as_they_were_written(rig: Rig) -> None:
    """An agent that starts removes those that no frontend has any more: it must see them."""
    one, other = ([n + at % 5 for at in range(CONFIG.maglev_size)] for n in (1, 2))
    images = [array("I", places).tobytes() for places in (one, other)]
    share(rig.map(t.MAGLEV).fd, {images[0]: [7, 300], images[1]: [8]})
    assert read(rig.map(t.MAGLEV)) == {
        bytes(t.RevNatId(7)): images[0],
        bytes(t.RevNatId(300)): images[0],
        bytes(t.RevNatId(8)): images[1],
    }
    assert read(rig.map(t.MAGLEV6)) == {}


def listed(rig: Rig, index: int, network: str, policy: SourceRange) -> None:
    """Enter a source range."""
    prefix = ip_network(network)
    key = s.lb4_src_range_key if prefix.version == 4 else s.lb6_src_range_key
    rig.map(t.SOURCE_RANGE if prefix.version == 4 else t.SOURCE_RANGE6).update(
        key(
            prefixlen=32 + prefix.prefixlen,
            rev_nat_id=index,
            addr=packed(prefix.network_address),
        ),
        t.Listed(policy),
    )
