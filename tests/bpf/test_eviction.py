"""Full flow tables: traffic goes on, and what was thrown out is counted to the entry."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.bpf import tables as t
from lab.bpf.ledger import CHUNK, Ledger
from lab.bpf.structs import ct_entry

from .family import BOTH, IPV4, IPV6, Family
from .node import CONFIG, DUAL, REMOTE_POD, VIP
from .packets import request
from .rig import REDIRECT, Backend, Rig

PORTS = range(40000, 40500)
SMALL = {table.name: 128 for table in (t.CT_TCP, t.CT_TCP6, t.SNAT, t.SNAT6)}
ENOUGH = {t.CT_TCP.name: 4096, t.SNAT.name: 4096}


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    held = os.open(tmp_path, os.O_RDONLY)
    yield held
    os.close(held)


def ledger(rig: Rig, lock: int) -> Ledger:
    return Ledger(rig.map(t.FLOWS_ENTERED), rig.map(t.FLOWS_LEDGER), lock)


def evicted(rig: Rig, lock: int, table: t.Table) -> int:
    return ledger(rig, lock).read(rig.map(table)).evicted


def missing(rig: Rig, table: t.Table, each: int) -> int:
    """Of the flows of PORTS, with `each` entries in the table, how many entries are gone."""
    return each * len(PORTS) - len(list(rig.map(table).items()))


@BOTH
def test_full_tables_forward_and_count_each_eviction(
    make_rig: Callable[..., Rig], lock: int, family: Family
) -> None:
    rig = make_rig(DUAL, SMALL)
    rig.service(family.vip, 80, [Backend(family.remote_pod)])
    for port in PORTS:
        sent = request(family.client, family.vip, sport=port)
        assert rig.run("from_netdev", sent).verdict == REDIRECT
    for table in (family.ct_tcp, family.snat):
        gone = missing(rig, table, each=2)  # choice and flow; request and reply
        assert gone >= 2 * len(PORTS) - 128
        assert evicted(rig, lock, table) == gone
    other = IPV6 if family is IPV4 else IPV4
    assert evicted(rig, lock, other.ct_tcp) == evicted(rig, lock, other.snat) == 0


def test_entry_in_the_place_of_a_dead_one_evicts_nothing(
    make_rig: Callable[..., Rig], lock: int
) -> None:
    rig = make_rig(CONFIG, ENOUGH)
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    for _ in range(2):
        for port in PORTS:
            rig.run("from_netdev", request(sport=port))
        table = rig.map(t.CT_TCP)
        table.update_batch([(key, ct_entry(lifetime=1)) for key, _ in table.items()])
    assert missing(rig, t.CT_TCP, each=2) == 0
    assert evicted(rig, lock, t.CT_TCP) == evicted(rig, lock, t.SNAT) == 0


def test_removed_is_not_evicted(make_rig: Callable[..., Rig], lock: int) -> None:
    rig = make_rig(CONFIG, ENOUGH)
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    for port in PORTS:
        rig.run("from_netdev", request(sport=port))
    books, table = ledger(rig, lock), rig.map(t.CT_TCP)
    keys = [key for key, _ in table.raw_items()]
    table.delete_raw(keys[:1])  # as if evicted: by nobody who keeps the books
    assert len(keys) > CHUNK
    assert books.remove(table, keys) == len(keys) - 1
    assert list(table.items()) == []
    assert books.read(table).evicted == 1


def test_entries_that_user_space_adds_are_evicted_too(
    make_rig: Callable[..., Rig], lock: int
) -> None:
    rig = make_rig(CONFIG, SMALL)
    books, table = ledger(rig, lock), rig.map(t.CT_TCP)
    keys = [t.CT_TCP.key(sport=port, nexthdr=6) for port in PORTS]
    books.add(table, [(bytes(key), bytes(ct_entry())) for key in keys])
    found = books.read(table)
    assert found.evicted == len(PORTS) - len(found.entries) > 0


def test_reader_amid_new_flows_never_sees_too_many(make_rig: Callable[..., Rig], lock: int) -> None:
    rig = make_rig(CONFIG, SMALL)
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    sent = [bytes(request(sport=port)) for port in PORTS]
    sending = threading.Thread(target=rig.run_all, args=("from_netdev", sent))
    books, table = ledger(rig, lock), rig.map(t.CT_TCP)
    sending.start()
    seen: list[int] = []
    while sending.is_alive():
        seen.append(books.read(table).evicted)
    sending.join()
    exact = missing(rig, t.CT_TCP, each=2)
    assert books.read(table).evicted == exact
    assert all(0 <= number <= exact for number in seen)
