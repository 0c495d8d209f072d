"""The load balancer's maps as one table: what they hold, what they should, and the difference.

Pure: it never touches a map. The agent reads the maps once (`Table(...)`), tells of every service
that changed (`update`), and carries out the operations that come back, in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile

from lab.agent.profile import Profile
from lab.agent.services.backends import Backends
from lab.agent.services.entries import (
    Entries,
    Place,
    entries,
    frontend_of,
    is_frontend,
    number_of,
    rank,
    slots,
)
from lab.agent.services.families import BACKENDS, SERVICES
from lab.agent.services.ids import Ids
from lab.agent.services.model import Balanced, Frontend, Slot
from lab.agent.services.remembered import NOTHING, LastIds

LAST_FRONTEND = 0xFFFF


Numbered = tuple[str, Frontend] | Slot | Frontend
"""What has an id of reverse NAT: a service's frontend; a slot while it waits for its address; a
frontend that an earlier agent left, until its service is known.

An id means the same frontend for good. Flows know it, and a frontend that changed its place among
those of its service (an address before it is gone, two ports were swapped) has still the same.
"""


@dataclass(frozen=True)
class Operation:
    """Write `value` at a key of a map, or remove the key (None)."""

    map: str
    key: bytes
    value: bytes | None


class Table:
    """Entries of all services. `held` is what the maps held when the agent started, `remembered`
    what ids flows had then.
    """

    def __init__(self, profile: Profile, held: Entries, remembered: LastIds = NOTHING) -> None:
        self._profile = profile
        self._held = dict(held)
        self._balanced: dict[str, tuple[Balanced, ...]] = {}
        self._wanted: dict[str, Entries] = {}
        self._owners: Counter[Place] = Counter()
        self._backends = Backends()
        self._numbers: Ids[Numbered] = Ids(LAST_FRONTEND)
        for (name, key), value in held.items():
            self._restore(name, key, value)
        self._backends.skip(remembered.backend)
        self._numbers.skip(remembered.frontend)

    def update(
        self, changes: Mapping[str, tuple[Balanced, ...]], *, complete: bool = False
    ) -> list[Operation]:
        """Operations that bring the maps from what they hold to what the services want.

        `changes` has services by name; one without frontends is gone. `complete`: services that
        were never named are gone as well, so that entries of an earlier agent without an owner
        are removed.
        """
        touched: set[Place] = set()
        wanted: Entries = {}
        for name, balanced in changes.items():
            before = self._balanced.get(name, ())
            if balanced == before:
                continue
            self._backends.replace(before, balanced)
            touched |= self._replace(name, balanced)
            wanted |= self._wanted.get(name, {})
        backends, gone = self._backends.settle()
        if complete:
            touched |= self._disown()
        lost = self._contest(touched, wanted)
        wanted |= backends
        return self._difference(touched.union(gone, wanted, lost), wanted, lost)

    def services(self) -> Iterable[Balanced]:
        """Everything that is balanced now."""
        for balanced in self._balanced.values():
            yield from balanced

    def _replace(self, name: str, balanced: tuple[Balanced, ...]) -> set[Place]:
        """Note a service's new entries; returns the places that may have changed."""
        before, users = self._wanted.get(name, {}), self._balanced.get(name, ())
        wanted: Entries = {}
        for what in balanced:
            wanted.update(self._entries(what))
        self._owners.update(wanted.keys())
        self._owners.subtract(before.keys())
        for key in set(map(_numbered, users)).difference(map(_numbered, balanced)):
            self._numbers.give_back(key)
        if balanced:
            self._wanted[name], self._balanced[name] = wanted, balanced
        else:
            self._wanted.pop(name, None)
            self._balanced.pop(name, None)
        return before.keys() | wanted.keys()

    def _contest(self, touched: Iterable[Place], wanted: Entries) -> set[Place]:
        """Give each frontend that several services claim to the oldest of them: it goes into
        `wanted` with all its slots. Returns the slots that the others would have had.
        """
        lost: set[Place] = set()
        for place in touched:
            if self._owners[place] <= (place in wanted) or not is_frontend(place):
                continue
            names = sorted((n for n, each in self._wanted.items() if place in each), key=self._age)
            claims = [self._slots(name, place) for name in names]
            for claim in claims:
                lost |= claim.keys()
            lost -= claims[0].keys()
            wanted.update(claims[0])
        for place in lost:
            wanted.pop(place, None)
        return lost

    def _slots(self, service: str, frontend: Place) -> Entries:
        """What a service wants at a frontend."""
        entries_of = self._wanted[service]
        return {at: entries_of[at] for at in takewhile(entries_of.__contains__, slots(frontend))}

    def _age(self, service: str) -> tuple[str, str]:
        return self._balanced[service][0].since, service

    def _entries(self, what: Balanced) -> Entries:
        number = self._number(what)
        if what.frontend is None:
            return {}
        ids = {each: self._backends.number(each) for each in (*what.active, *what.terminating)}
        return entries(what, number, ids, self._profile)

    def _number(self, what: Balanced) -> int:
        key = _numbered(what)
        if key not in self._numbers:
            for earlier in (what.slot, what.frontend):
                if earlier is not None and earlier in self._numbers:
                    self._numbers.rename(earlier, key)
                    break
        return self._numbers.take(key)

    def _difference(
        self, places: Iterable[Place], wanted: Entries, lost: Collection[Place]
    ) -> list[Operation]:
        """`wanted` has the entries of the changed services; what others share stays as it is."""
        writes, removals = [], []
        for place in places:
            if place in wanted:
                if self._held.get(place) != wanted[place]:
                    self._held[place] = wanted[place]
                    writes.append(place)
            elif self._owners[place] <= 0 or place in lost:
                if self._held.pop(place, None) is not None:
                    removals.append(place)
                if self._owners[place] <= 0:
                    del self._owners[place]
        # By map within a rank: what is written to one map in a row goes into one system call.
        writes.sort(key=lambda place: (rank(place, removing=False), place[0]))
        removals.sort(key=lambda place: (rank(place, removing=True), place[0]))
        return [
            *(Operation(*place, self._held[place]) for place in writes),
            *(Operation(*place, None) for place in removals),
        ]

    def _disown(self) -> set[Place]:
        """Entries and ids that an earlier agent left and nobody claimed."""
        self._numbers.keep(lambda key: not isinstance(key, Frontend))
        own = {place for place in self._held if place[0] not in BACKENDS}
        return self._backends.disown(self._held) | {each for each in own if not self._owners[each]}

    def _restore(self, name: str, key: bytes, value: bytes) -> None:
        """Keep the ids that an earlier agent gave: connections in the kernel know them.

        It may have been killed before a frontend had its slot 0, or after: what hangs on an id
        alone must not fall to another frontend.
        """
        number = number_of(name, key, value)
        self._numbers.skip(number)
        if name in BACKENDS:
            self._backends.restore(name, key, value)
        elif name in SERVICES:
            frontend, slot = frontend_of(name, key)
            if slot == 0 and number:
                self._numbers.restore(frontend, number)


def _numbered(what: Balanced) -> Numbered:
    return (what.slot.service, what.frontend) if what.frontend else what.slot
