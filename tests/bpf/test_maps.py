"""A map as typed keys and values: by batches, and one by one where a kernel or a map has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.bpf import maps
from lab.bpf import tables as t
from lab.bpf.libbpf import raw
from lab.bpf.structs import lb4_backend
from lab.errors import BpfError

from .node import CONFIG
from .rig import Rig

SMALL = 8
Entries = list[tuple[t.BackendId, lb4_backend]]


@pytest.fixture(params=["batches", "one by one"])
def backends(
    make_rig: Callable[..., Rig], request: Any, monkeypatch: pytest.MonkeyPatch
) -> maps.Map[t.BackendId, lb4_backend]:
    """A small map, without anything in it."""
    table: maps.Map[t.BackendId, lb4_backend]
    table = make_rig(CONFIG, {t.BACKENDS.name: SMALL}).map(t.BACKENDS)
    if request.param == "one by one":
        monkeypatch.setattr(
            maps, "raw", lambda name, *words: -524 if "batch" in name else raw(name, *words)
        )
    monkeypatch.setattr(maps, "BATCH", 3)
    return table


def entries(count: int) -> Entries:
    return [
        (t.BackendId(n), lb4_backend(address=n, port=80 + n, proto=6)) for n in range(1, count + 1)
    ]


def test_what_is_written_is_read_and_removed(
    backends: maps.Map[t.BackendId, lb4_backend],
) -> None:
    assert backends.raw_items() == []
    backends.update_batch(entries(7))
    found = sorted(backends.items(), key=lambda entry: int(entry[0].id))
    assert found == entries(7)
    key, value = entries(7)[4]
    assert backends.lookup(key) == value
    assert (backends.delete(key), backends.delete(key), backends.lookup(key)) == (True, False, None)
    assert backends.delete_raw([bytes(key) for key, _ in entries(7)]) == 6
    assert backends.raw_items() == []


def test_a_map_that_is_full_has_what_came_before_and_says_so(
    backends: maps.Map[t.BackendId, lb4_backend],
) -> None:
    with pytest.raises(BpfError, match=f"writing .*id=9.* to {t.BACKENDS.name}"):
        backends.update_batch(entries(SMALL + 2))
    assert sorted(int(key.id) for key, _ in backends.items()) == list(range(1, SMALL + 1))


def test_entries_of_another_size_are_refused(
    backends: maps.Map[t.BackendId, lb4_backend],
) -> None:
    with pytest.raises(ValueError, match="another size"):
        backends.update_raw([(bytes(4), bytes(5))])
    assert backends.raw_items() == []
