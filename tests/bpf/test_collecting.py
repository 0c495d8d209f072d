"""Garbage collection beside traffic: what begins anew meanwhile is no garbage."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from lab.bpf import gc
from lab.bpf import tables as t
from lab.bpf.ledger import Entry, Ledger
from lab.bpf.structs import ct_entry

from .node import REMOTE_POD, VIP
from .packets import request
from .rig import REDIRECT, Backend, Rig

PORTS = range(40000, 40010)
TABLES = (t.CT_TCP, t.CT_ANY)


def sweep(rig: Rig, place: Path) -> gc.Collected:
    lock = os.open(place, os.O_RDONLY)
    try:
        books = Ledger(rig.map(t.FLOWS_ENTERED), rig.map(t.FLOWS_LEDGER), lock)
        return gc.sweep(books, [rig.map(table) for table in TABLES], rig.map(t.SNAT), 4)
    finally:
        os.close(lock)


def end_all(rig: Rig) -> None:
    """Every connection's time is over."""
    connections = rig.map(t.CT_TCP)
    for key, entry in list(connections.items()):
        ended = ct_entry.parse(bytes(entry))
        ended.lifetime = 1
        connections.update(key, ended)


def begin(rig: Rig, ports: Iterable[int]) -> None:
    for port in ports:
        assert rig.run("from_netdev", request(sport=port)).verdict == REDIRECT


def counts(rig: Rig) -> tuple[int, int]:
    return len(list(rig.map(t.CT_TCP).items())), len(list(rig.map(t.SNAT).items()))


def test_what_ended_goes_with_its_translations(rig: Rig, tmp_path: Path) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    begin(rig, PORTS)
    assert counts(rig) == (20, 20)
    end_all(rig)
    collected = sweep(rig, tmp_path)
    assert (collected.connections, collected.translations) == (20, 20)
    assert counts(rig) == (0, 0)


def test_a_port_that_is_used_again_while_the_table_is_cleaned_keeps_its_flow(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.service(VIP, 80, [Backend(REMOTE_POD)])
    begin(rig, PORTS)
    end_all(rig)
    expired = gc.expired

    def and_then_one_begins(entries: Iterable[Entry], now: int) -> set[bytes]:
        found = expired(entries, now)
        begin(rig, PORTS[:1])
        return found

    monkeypatch.setattr(gc, "expired", and_then_one_begins)
    collected = sweep(rig, tmp_path)
    assert (collected.connections, collected.translations) == (18, 18)
    kept: list[Any] = [key for key, _ in rig.map(t.CT_TCP).items()]
    assert {key.dport for key in kept} | {key.sport for key in kept} >= {PORTS[0]}
    assert counts(rig) == (2, 2), "its backend, its connection, and both ways of its translation"
