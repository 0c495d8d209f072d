"""A bounded log: the newest values, numbered from the first ever written, and what was lost.

One thread writes, any number read. A reader has a position of its own; when the writer laps it,
the reader is told exactly how many values it missed. Memory never grows with slow readers.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Later(ABC, Generic[T_co]):
    """Values that stand in the log from number `first` on, and are made when one is read."""

    first: int

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def value(self, number: int) -> T_co:
        """The value with this number, on whichever thread asks."""


class Ring(Generic[T]):
    """The newest `capacity` values; numbers never wrap.

    There are `spare` slots more than values: those that the writer is filling at this moment.
    """

    def __init__(self, capacity: int, *, spare: int = 1) -> None:
        self.capacity = capacity
        self._spare = spare
        self._size = capacity + spare
        self._slots: list[T | Later[T] | None] = [None] * self._size
        self._next = 0
        self._waiting = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def written(self) -> int:
        """How many values were ever written; also the number of the next one."""
        return self._next

    @property
    def oldest(self) -> int:
        """Number of the oldest value that is still there (equal to `written` when empty)."""
        return max(0, self._next - self.capacity)

    def __len__(self) -> int:
        return min(self._next, self.capacity)

    def write(self, value: T) -> None:
        """Append one value. Call `wake` after a batch, so that followers see it."""
        self._slots[self._next % self._size] = value
        self._next += 1

    def extend(self, values: Later[T]) -> None:
        """Append all of them, at most `spare` at once; `first` is the number of the next value."""
        count = len(values)
        if values.first != self._next or count > self._spare:
            raise ValueError(f"{count} values from {values.first} on do not fit at {self._next}")
        start = self._next % self._size
        before_end = min(count, self._size - start)
        self._slots[start : start + before_end] = [values] * before_end
        self._slots[: count - before_end] = [values] * (count - before_end)
        self._next += count

    def wake(self) -> None:
        """Tell the waiting readers that there may be something new."""
        if self._waiting:
            with self._changed:
                self._changed.notify_all()

    def close(self) -> None:
        """End every wait, now and later: no value will follow."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    def wait(self, number: int, timeout: float) -> bool:
        """Wait until value `number` exists; False when it does not come within `timeout` s."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: self._next > number or self._closed, timeout)
            finally:
                self._waiting -= 1
        return self._next > number

    def read(self, number: int, limit: int) -> tuple[list[T], int, int]:
        """Up to `limit` values from `number` on: (values, number after the last, lost).

        `lost` counts the values from `number` on that were overwritten before this call.
        """
        start = max(number, self.oldest)
        end = min(self._next, start + limit)
        slots = [self._slots[n % self._size] for n in range(start, end)]
        # The writer may have lapped the copy just made: drop what it has overwritten since.
        stale = min(max(0, self.oldest - start), len(slots))
        values = (
            slot.value(n) if isinstance(slot, Later) else slot
            for n, slot in enumerate(slots[stale:], start + stale)
        )
        return [value for value in values if value is not None], end, start + stale - number
