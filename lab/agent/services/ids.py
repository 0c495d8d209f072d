"""Small numbers for large keys, as map entries want them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Ids(Generic[K]):
    """Ids from 1 on. One that was given back is not used again until all others were:
    connection tracking remembers ids for a while, and must not meet a stranger under an old one.
    """

    def __init__(self, last: int) -> None:
        self._last = last
        self._previous = 0
        self._by_key: dict[K, int] = {}
        self._taken: set[int] = set()

    def restore(self, key: K, number: int) -> None:
        """Note an id that is in use already."""
        self._by_key[key] = number
        self._taken.add(number)
        self.skip(number)

    def skip(self, number: int) -> None:
        """Give an id and those before it only when there are no others."""
        self._previous = max(self._previous, number)

    def take(self, key: K) -> int:
        """The id of a key, given now if it has none; OverflowError when none is left."""
        if key in self._by_key:
            return self._by_key[key]
        if len(self._taken) >= self._last:
            raise OverflowError(f"all {self._last} ids are taken")
        number = self._previous % self._last + 1
        while number in self._taken:
            number = number % self._last + 1
        self.restore(key, number)
        self._previous = number
        return number

    def rename(self, old: K, new: K) -> None:
        """Let `new` have the id of `old`."""
        self._by_key[new] = self._by_key.pop(old)

    def give_back(self, key: K) -> None:
        """Free the id of a key that may have none."""
        number = self._by_key.pop(key, None)
        if number is not None:
            self._taken.discard(number)

    def keep(self, wanted: Callable[[K], bool]) -> None:
        """Free the ids of all other keys."""
        for key in [key for key in self._by_key if not wanted(key)]:
            self.give_back(key)

    def __contains__(self, key: K) -> bool:
        return key in self._by_key
