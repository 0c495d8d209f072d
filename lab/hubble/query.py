"""Answers out of a ring: which stored values a request selects, and how it goes on from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from lab.errors import InputError
from lab.hubble.ring import Ring

BATCH = 256
"""Values taken from the ring at a time."""

POLL = 1.0
"""Seconds after which a follower that got nothing looks whether anybody still listens."""


class Timed(Protocol):
    """Anything with a time: Unix, nanoseconds."""

    @property
    def at(self) -> int: ...


T = TypeVar("T", bound=Timed)


@dataclass(frozen=True)
class Selection(Generic[T]):
    """A request: the newest `number` values that match (the oldest with `first`), in their order.

    `since` and `until` bound their time (Unix, nanoseconds; 0 = no bound). Without number and
    since, `follow` begins with what happens next.
    """

    matches: Callable[[T], bool] | None = None
    number: int = 0
    first: bool = False
    follow: bool = False
    since: int = 0
    until: int = 0

    def __post_init__(self) -> None:
        if self.first and self.follow:
            raise InputError("first and follow exclude each other: the oldest flows or the next")
        if self.since and self.until and self.until < self.since:
            raise InputError("until is before since: no flow can match")


@dataclass(frozen=True, slots=True)
class Missed:
    """Values that were overwritten before this reader came to them."""

    count: int


def start_of(ring: Ring[T], selection: Selection[T]) -> int:
    """Number of the value at which the answer begins."""
    if selection.first:
        return ring.oldest
    end = ring.written
    if selection.follow and not selection.number and not selection.since:
        return end
    begin, found = end, 0
    while begin > ring.oldest:
        # Backwards bit by bit: what is read may have to be decoded first.
        after, begin = begin, max(begin - BATCH, ring.oldest)
        values, _, missed = ring.read(begin, after - begin)
        for back, value in enumerate(reversed(values)):
            if value.at < selection.since:
                return after - back
            if selection.number and _matches(selection, value):
                found += 1
                if found == selection.number:
                    return after - back - 1
        begin += missed
    return begin


def select(
    ring: Ring[T],
    selection: Selection[T],
    *,
    listening: Callable[[], bool] = lambda: True,
) -> Iterator[T | Missed]:
    """The selected values. A follower ends when nobody is `listening` or the ring closes."""
    at = start_of(ring, selection)
    left = selection.number if selection.number and not selection.follow else -1
    while left:
        values, at, missed = ring.read(at, BATCH)
        if missed:
            yield Missed(missed)
        for value in values:
            if selection.until and value.at > selection.until:
                return
            if left and value.at >= selection.since and _matches(selection, value):
                yield value
                left -= 1
        if not values and not (selection.follow and _more(ring, at, listening)):
            return


def _more(ring: Ring[T], number: int, listening: Callable[[], bool]) -> bool:
    """Wait for value `number`; False when it will not come or nobody listens any more."""
    while not ring.wait(number, POLL):
        if ring.closed or not listening():
            return False
    return True


def _matches(selection: Selection[T], value: T) -> bool:
    return selection.matches is None or selection.matches(value)
