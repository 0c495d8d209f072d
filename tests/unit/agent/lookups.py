"""What the programs may find in the load balancer's maps: every outcome of every choice.

`src/service.h` and `src/select.h` over a dictionary, with chance replaced by the set of all that
it may lead to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import IPv4Address

from lab.agent.services import entries
from lab.agent.services.entries import Entries
from lab.agent.services.model import Backend, Frontend, Protocol
from lab.bpf import structs, tables
from lab.bpf.codes import Algorithm, Scope, ServiceFlag, ServiceFlag2, SourceRange

ALGORITHM_SHIFT = 24
Outcome = Backend | str
"""Where a packet goes, or what becomes of it instead."""


@dataclass(frozen=True)
class Asked:
    """A new flow."""

    address: IPv4Address
    port: int
    client: IPv4Address
    scope: Scope


class Lookups:
    """The programs of a node whose tables are `held`."""

    def __init__(self, held: Entries, *, maglev: bool, wildcards: bool) -> None:
        self._held = held
        self._maglev = maglev
        self._wildcards = wildcards

    def outcomes(self, asked: Asked) -> set[Outcome]:
        """All that may become of a new flow, whatever chance and its hash choose: whether it is let
        in, and who answers those that are.
        """
        found = self.service(asked)
        if found is None:
            return {"no such service"}
        outside = asked.scope is Scope.EXTERNAL
        door = "let in" if not outside or self._admits(found[1], asked.client) else "refused"
        if not found[1].count:
            return {door, "nobody answers"}
        return {door, *(self.backend(number) or "missing" for number in self.ids(asked))}

    def members(self, address: IPv4Address, port: int) -> set[Outcome]:
        """All backends of a frontend, in either scope, the terminating ones as well."""
        found: set[Outcome] = set()
        for scope in Scope:
            frontend = Frontend(address, port, Protocol.TCP, scope)
            svc = self._at(frontend)
            slots = range(1, svc.count + svc.qcount + 1) if svc else ()
            entry = [self._at(frontend, slot) for slot in slots]
            found.update(self.backend(each.backend_id) or "missing" for each in entry if each)
        return found

    def ids(self, asked: Asked) -> set[int]:
        """Ids of the backends that a flow may get and remember."""
        found = self.service(asked)
        return set(self._chosen(*found, asked)) if found and found[1].count else set()

    def service(self, asked: Asked) -> tuple[Frontend, structs.lb4_service] | None:
        frontend = Frontend(asked.address, asked.port, Protocol.TCP)
        svc = self._at(frontend)
        if svc is None and self._wildcards:
            frontend = Frontend(asked.address, 0, Protocol.ANY)
            svc = self._at(frontend)
        if svc and asked.scope is Scope.INTERNAL and svc.flags2 & ServiceFlag2.TWO_SCOPES:
            frontend = Frontend(frontend.address, frontend.port, frontend.protocol, asked.scope)
            svc = self._at(frontend)
        return (frontend, svc) if svc else None

    def backend(self, number: int) -> Backend | None:
        value = self._held.get((tables.BACKENDS.name, number.to_bytes(4, "little")))
        return entries.backend_of(tables.BACKENDS.name, value) if value else None

    def answers_as(self, number: int) -> tuple[IPv4Address, int] | None:
        """Source of the replies of a flow that has a frontend's id."""
        value = self._held.get((tables.REVERSE_NAT.name, number.to_bytes(2, "little")))
        if value is None:
            return None
        parsed = structs.lb4_reverse_nat.parse(value)
        return IPv4Address(parsed.address), parsed.port

    def _at(self, frontend: Frontend, slot: int = 0) -> structs.lb4_service | None:
        value = self._held.get((tables.SERVICES.name, _key(frontend, slot)))
        return structs.lb4_service.parse(value) if value else None

    def _admits(self, svc: structs.lb4_service, client: IPv4Address) -> bool:
        if not svc.flags & ServiceFlag.ROUTABLE:
            return False
        if not svc.flags & ServiceFlag.SOURCE_RANGE:
            return True
        listed = self._longest(svc.rev_nat_index, client)
        if svc.flags2 & ServiceFlag2.SOURCE_RANGE_DENY:
            return listed != SourceRange.DENY
        return listed == SourceRange.ALLOW

    def _longest(self, number: int, client: IPv4Address) -> int | None:
        """Value of the longest prefix of a frontend that a client is in."""
        for length in (24, 16, 8):  # others are not asked for
            network = int(client) >> (32 - length) << (32 - length)
            key = structs.lb4_src_range_key(prefixlen=32 + length, rev_nat_id=number, addr=network)
            value = self._held.get((tables.SOURCE_RANGE.name, bytes(key)))
            if value is not None:
                return value[0]
        return None

    def _chosen(self, frontend: Frontend, svc: structs.lb4_service, asked: Asked) -> Iterator[int]:
        """Ids of backends; 0 where a slot is missing."""
        algorithm = svc.backend_id >> ALGORITHM_SHIFT
        maglev = algorithm == Algorithm.MAGLEV if algorithm else self._maglev
        number = svc.rev_nat_index.to_bytes(2, "little")
        table = self._held.get((tables.MAGLEV.name, number))
        if maglev and asked.scope is Scope.EXTERNAL and table is not None:
            yield from set(memoryview(table).cast("I").tolist())
        else:
            for slot in range(1, svc.count + 1):
                entry = self._at(frontend, slot)
                yield entry.backend_id if entry else 0
        if svc.flags & ServiceFlag.AFFINITY:
            yield from self._remembered(svc.rev_nat_index)

    def _remembered(self, number: int) -> set[int]:
        """Backends that a client may come back to."""
        return self._matches.get(number, set())

    @cached_property
    def _matches(self) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {}
        for name, key in self._held:
            if name == entries.AFFINITY_MATCH:
                match = structs.lb_affinity_match.parse(key)
                found.setdefault(match.rev_nat_id, set()).add(match.backend_id)
        return found


_key = lru_cache(maxsize=None)(entries.key)
