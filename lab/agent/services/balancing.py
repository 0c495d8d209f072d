"""Services of the cluster kept in the node's maps."""

from __future__ import annotations

from collections.abc import Iterable

from lab.agent.cluster import Cluster
from lab.agent.complaints import Complaints
from lab.agent.maps import NodeMaps
from lab.agent.services.families import BACKENDS
from lab.agent.services.mistakes import KIND, mistakes, refused
from lab.agent.services.model import Address, Balanced
from lab.agent.services.table import Table
from lab.agent.services.translate import Place, balance
from lab.errors import BpfError


class Balancing:
    """Translates changed services and writes what differs."""

    def __init__(
        self, cluster: Cluster, maps: NodeMaps, place: Place, complaints: Complaints
    ) -> None:
        self._cluster = cluster
        self._maps = maps
        self._place = place
        self._complaints = complaints
        self._dirty: set[str] = set()
        self._table = self._found()
        self._first = True

    def note(self, service: str) -> None:
        """A service, or its endpoints, changed."""
        self._dirty.add(service)

    def settle(self) -> bool:
        """Bring the maps up to date; whether a backend went, or may have while nobody kept count.

        BpfError leaves everything to be done again.
        """
        if not self._cluster.services_complete:
            return False
        names = self._cluster.services.objects if self._first else self._dirty
        changes = {name: self._balanced(name) for name in self._ordered(names)}
        self._dirty.clear()
        operations = self._table.update(changes, complete=self._first)
        try:
            self._maps.carry_out(operations)
        except BpfError:
            # Start over from what the maps hold now.
            self._table, self._first = self._found(), True
            raise
        uncounted, self._first = self._first, False
        return uncounted or any(op.map in BACKENDS and op.value is None for op in operations)

    def served(self) -> set[Address] | None:
        """Addresses of services that the maps balance now; None while that is not known."""
        if self._first:
            return None
        frontends = (what.frontend for what in self._table.services())
        return {frontend.address for frontend in frontends if frontend is not None}

    def _found(self) -> Table:
        """What the maps hold now, and flows remember."""
        return Table(self._place.profile, self._maps.services(), self._maps.remembered())

    def _ordered(self, names: Iterable[str]) -> list[str]:
        """In the order in which the API server told of them, so that all nodes number alike."""
        wanted = set(names)
        known = [name for name in self._cluster.services.objects if name in wanted]
        return [*known, *sorted(wanted.difference(known))]

    def _balanced(self, name: str) -> tuple[Balanced, ...]:
        service = self._cluster.services.objects.get(name)
        if service is None or service.metadata is None:
            self._complain(name, [])
            return ()
        problems, found = mistakes(service.metadata.annotations or {}), tuple[Balanced, ...]()
        try:
            found = balance(service, self._cluster.slices_of(name), self._place)
        except ValueError as error:
            # An address or range that is none; the API server's validation lets some through.
            problems.append(f"it is not balanced: {error}")
        self._complain(name, problems)
        return found

    def _complain(self, name: str, problems: list[str]) -> None:
        if problems:
            self._complaints.about(refused(name, problems))
        else:
            self._complaints.mended(KIND, name)
