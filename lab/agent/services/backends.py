"""The backends of all services: each has one id and one entry, however many services have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lab.agent.services.entries import Entries, Place, backend_of, backend_place, backend_value
from lab.agent.services.families import BACKENDS
from lab.agent.services.ids import Ids
from lab.agent.services.model import Backend, Balanced
from lab.bpf.codes import BackendState

LAST_BACKEND = 0xFFFFFF


class Backends:
    """Who has which backend, and what its entry says.

    One that terminates for one service does for all: only `publishNotReadyAddresses` makes services
    disagree, and a client must not come back to a pod that is on its way out.
    """

    def __init__(self) -> None:
        self._ids: Ids[Backend] = Ids(LAST_BACKEND)
        self._users: Counter[Backend] = Counter()
        self._ending: Counter[Backend] = Counter()
        self._stirred: set[Backend] = set()

    def restore(self, name: str, key: bytes, value: bytes) -> None:
        """Keep the id of an entry that an earlier agent wrote."""
        self._ids.restore(backend_of(name, value), int.from_bytes(key, "little"))

    def skip(self, number: int) -> None:
        self._ids.skip(number)

    def number(self, backend: Backend) -> int:
        """Its id, given now if it has none."""
        return self._ids.take(backend)

    def replace(self, before: Iterable[Balanced], after: Iterable[Balanced]) -> None:
        """Frontends of a service took the place of others."""
        for change, frontends in ((1, after), (-1, before)):
            for what in frontends:
                self._count(what, change)

    def settle(self) -> tuple[Entries, set[Place]]:
        """The entries of those whose services changed, and the places of those that none has."""
        entries, gone = {}, set()
        for backend in self._stirred:
            place = backend_place(backend, self._ids.take(backend))
            if self._users[backend] > 0:
                entries[place] = backend_value(backend, self._state(backend))
                continue
            gone.add(place)
            self._ids.give_back(backend)
            del self._users[backend], self._ending[backend]
        self._stirred.clear()
        return entries, gone

    def disown(self, held: Iterable[Place]) -> set[Place]:
        """The places of what an earlier agent left and no service has; their ids are free."""
        self._ids.keep(lambda backend: self._users[backend] > 0)
        used = {backend_place(each, self._ids.take(each)) for each in self._users}
        return {place for place in held if place[0] in BACKENDS and place not in used}

    def _count(self, what: Balanced, change: int) -> None:
        if what.frontend is None:
            return
        for backend in (*what.active, *what.terminating):
            self._users[backend] += change
        for backend in what.terminating:
            self._ending[backend] += change
        self._stirred.update(what.active, what.terminating)

    def _state(self, backend: Backend) -> BackendState:
        return BackendState.TERMINATING if self._ending[backend] else BackendState.ACTIVE
