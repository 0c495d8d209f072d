"""Maglev tables: even, stable, the same everywhere (the paper's sections 3.4 and 5.3)."""

from __future__ import annotations

from collections import Counter

import pytest

from lab.bpf.maglev import SIZES, image, table
from lab.bpf.murmur3 import murmur3

SIZE = 16381


def names(count: int) -> dict[str, int]:
    return {f"10.0.{n // 200}.{n % 200}:80/TCP": n + 1 for n in range(count)}


def test_order_and_ids_do_not_matter() -> None:
    forward = table(names(7), SIZE)
    backward = table(dict(reversed(list(names(7).items()))), SIZE)
    assert forward == backward
    other_ids = table({name: i + 100 for name, i in names(7).items()}, SIZE)
    assert other_ids == [i + 100 for i in forward]


@pytest.mark.parametrize("count", [1, 2, 3, 10, 100])
def test_places_are_shared_evenly(count: int) -> None:
    shares = Counter(table(names(count), SIZE))
    assert len(shares) == count
    assert max(shares.values()) - min(shares.values()) <= 1


@pytest.mark.parametrize("count", [5, 10, 50])
def test_removing_one_backend_moves_little_else(count: int) -> None:
    all_of_them = names(count)
    before = table(all_of_them, SIZE)
    gone = all_of_them.pop("10.0.0.3:80/TCP")
    after = table(all_of_them, SIZE)
    assert gone not in after
    moved = sum(old != new for old, new in zip(before, after, strict=True) if old != gone)
    assert moved / SIZE < 0.03, "beyond the 1/N that had to move"


def test_adding_one_backend_moves_close_to_its_share() -> None:
    before, after = table(names(10), SIZE), table(names(11), SIZE)
    moved = sum(old != new for old, new in zip(before, after, strict=True)) / SIZE
    assert 1 / 11 <= moved < 1 / 11 + 0.05


def test_flows_of_other_backends_stay_nearly_all() -> None:
    """The paper's figure 12: with a table of 100 places a backend, a few of a thousand move."""
    before, after = (
        table({n: i for n, i in names(160).items() if i not in gone}, SIZE) for gone in ((), (7,))
    )
    moved = [old for old, new in zip(before, after, strict=True) if old not in (7, new)]
    assert len(moved) / SIZE < 0.02


def test_services_with_the_same_backends_share_one_table() -> None:
    first, second = image(names(3), 251), image(dict(reversed(names(3).items())), 251)
    assert first is second
    assert list(memoryview(first).cast("I")) == table(names(3), 251)


def test_known_answer_pins_the_hash() -> None:
    assert table({"a": 1, "b": 2, "c": 3}, 13) == KNOWN


def test_no_backends_no_table() -> None:
    assert table({}, SIZE) == []


def test_sizes_are_primes() -> None:
    assert all(all(size % n for n in range(2, int(size**0.5) + 1)) for size in SIZES)


KNOWN = [1, 1, 3, 3, 1, 3, 3, 1, 2, 2, 2, 2, 1]
"""The table of backends a, b, c with 13 places: another hash would give another."""


def test_the_hash_is_murmur3() -> None:
    """The value that implementations of MurmurHash3_x64_128 agree on."""
    halves = murmur3(b"The quick brown fox jumps over the lazy dog", 0)
    assert halves == (0xE34BBC7BBC071B6C, 0x7A433CA9C49A9347)
    assert murmur3(b"", 0) == (0, 0)
