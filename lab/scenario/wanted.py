"""Wanted values that are more than one value: each says in words what it accepts."""

from __future__ import annotations

from collections.abc import Callable, Container, Sized
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")

LINE = 80
"""Columns; a longer list is told one item a line."""


@dataclass(frozen=True)
class Wanted(Generic[T]):
    """A condition on a value, with the words that a report shows for it."""

    words: str
    accept: Callable[[T], bool]


def at_least(low: float) -> Wanted[Any]:
    return Wanted(f"at least {low:g}", lambda seen: seen >= low)


def at_most(high: float) -> Wanted[Any]:
    return Wanted(f"at most {high:g}", lambda seen: seen <= high)


def between(low: float, high: float) -> Wanted[Any]:
    return Wanted(f"between {low:g} and {high:g}", lambda seen: low <= seen <= high)


def one_of(*values: Any) -> Wanted[Any]:
    return Wanted(" or ".join(tell(value) for value in values), lambda seen: seen in values)


def containing(part: Any) -> Wanted[Any]:
    """A text or a collection with `part` in it."""

    def accept(seen: Container[Any]) -> bool:
        return part in seen

    return Wanted(f"one with {part!r} in it", accept)


def other_than(value: Any) -> Wanted[Any]:
    return Wanted(f"anything but {tell(value)}", lambda seen: bool(seen != value))


def something() -> Wanted[Any]:
    """A text or a collection that is not empty."""

    def accept(seen: Sized) -> bool:
        return len(seen) > 0

    return Wanted("something", accept)


def nothing() -> Wanted[Any]:
    """A text or a collection that is empty."""

    def accept(seen: Sized) -> bool:
        return len(seen) == 0

    return Wanted("nothing", accept)


def tell(value: object) -> str:
    """A value in the words of a report: without Python's brackets, long lists one item a line."""
    if isinstance(value, Wanted):
        return value.words
    if isinstance(value, (set, frozenset)):
        return ", ".join(sorted(tell(item) for item in value)) or "nothing"
    if isinstance(value, (list, tuple)):
        items = [tell(item) for item in value]
        together = ", ".join(items) or "nothing"
        return together if len(together) <= LINE else "\n".join(items)
    if isinstance(value, dict):
        return ", ".join(f"{tell(key)}: {tell(item)}" for key, item in value.items()) or "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value) if str(value) else "nothing"


def accepts(wanted: object, seen: object) -> bool:
    """Whether a seen value is the wanted one, or one that the wanted condition accepts."""
    return wanted.accept(seen) if isinstance(wanted, Wanted) else seen == wanted
