"""The ring and the questions asked of it: exact counts, whatever the overlap."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.errors import InputError
from lab.hubble.query import Missed, Selection, select, start_of
from lab.hubble.ring import Ring


@dataclass(frozen=True)
class Value:
    at: int


def filled(count: int, capacity: int = 8) -> Ring[Value]:
    ring: Ring[Value] = Ring(capacity)
    for number in range(count):
        ring.write(Value(number))
    return ring


def times(values: Iterator[Value | Missed]) -> list[int]:
    return [value.at for value in values if isinstance(value, Value)]


def test_keeps_exactly_its_capacity() -> None:
    ring = filled(4095 + 7, 4095)
    values, end, lost = ring.read(0, 10_000)
    assert (len(values), end, lost) == (4095, 4102, 7)
    assert (values[0].at, values[-1].at, len(ring), ring.written) == (7, 4101, 4095, 4102)


def test_reader_is_told_what_was_overwritten_since_its_position() -> None:
    ring = filled(3)
    _, position, _ = ring.read(0, 10)
    for number in range(3, 20):
        ring.write(Value(number))
    values, position, lost = ring.read(position, 4)
    assert ([value.at for value in values], position, lost) == ([12, 13, 14, 15], 16, 9)


def test_empty_ring() -> None:
    assert filled(0).read(0, 5) == ([], 0, 0)
    assert times(select(filled(0), Selection())) == []


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection[Value](), [2, 3, 4, 5, 6, 7, 8, 9]),
        (Selection[Value](number=3), [7, 8, 9]),
        (Selection[Value](number=3, first=True), [2, 3, 4]),
        (Selection[Value](number=100), [2, 3, 4, 5, 6, 7, 8, 9]),
        (Selection[Value](since=8), [8, 9]),
        (Selection[Value](since=4, until=6), [4, 5, 6]),
        (Selection[Value](since=4, number=2), [8, 9]),
        (Selection[Value](until=3), [2, 3]),
        (Selection(number=2, matches=lambda value: value.at % 3 == 0), [6, 9]),
        (Selection(number=2, first=True, matches=lambda value: value.at % 3 == 0), [3, 6]),
    ],
)
def test_selection(selection: Selection[Value], expected: list[int]) -> None:
    assert times(select(filled(10), selection)) == expected


def test_follow_alone_begins_with_the_next_value() -> None:
    assert start_of(filled(5), Selection(follow=True)) == 5
    assert start_of(filled(5), Selection(follow=True, number=2)) == 3
    assert start_of(filled(5), Selection(follow=True, since=1)) == 1


def test_follower_gets_new_values_until_the_ring_closes() -> None:
    ring = filled(2)
    seen: list[int] = []
    got_first = threading.Event()

    def follow() -> None:
        for value in select(ring, Selection[Value](follow=True, number=1)):
            assert isinstance(value, Value)
            seen.append(value.at)
            got_first.set()

    follower = threading.Thread(target=follow)
    follower.start()
    assert got_first.wait(5)
    ring.write(Value(2))
    ring.write(Value(3))
    ring.wake()
    ring.close()
    follower.join(5)
    assert seen == [1, 2, 3]


def test_slow_follower_is_told_what_it_missed() -> None:
    ring = filled(2)
    answer = select(ring, Selection[Value](follow=True, since=1))
    assert next(answer) == Value(1)
    for number in range(2, 30):
        ring.write(Value(number))
    assert next(answer) == Missed(20)
    assert next(answer) == Value(22)


def test_follower_ends_when_nobody_listens() -> None:
    ring = filled(1)
    ring.wait = lambda number, timeout: False  # type: ignore[method-assign]
    assert times(select(ring, Selection(follow=True, number=1), listening=lambda: False)) == [0]


def test_contradictions_are_refused() -> None:
    with pytest.raises(InputError, match="first and follow"):
        Selection[Value](first=True, follow=True)
    with pytest.raises(InputError, match="until is before since"):
        Selection[Value](since=5, until=4)
