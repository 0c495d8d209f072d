"""What the address families differ in: the names of the load balancer's maps, and their layouts."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from lab.agent.services.model import Address
from lab.bpf import tables
from lab.bpf.tables import Table


@dataclass(frozen=True)
class Family:
    """The maps of one IP version."""

    version: int
    services: Table
    backends: Table
    reverse_nat: Table
    source_ranges: Table
    maglev: Table
    """A value is a whole table: it becomes a map inside the map."""

    @property
    def plain(self) -> tuple[Table, ...]:
        """The maps whose values are bytes."""
        return (self.services, self.backends, self.reverse_nat, self.source_ranges)

    def address(self, field: Any) -> Address:
        """An address as a struct of these maps holds it."""
        return IPv4Address(field) if self.version == 4 else IPv6Address(bytes(field))


FAMILIES = {
    4: Family(
        4,
        tables.SERVICES,
        tables.BACKENDS,
        tables.REVERSE_NAT,
        tables.SOURCE_RANGE,
        tables.MAGLEV,
    ),
    6: Family(
        6,
        tables.SERVICES6,
        tables.BACKENDS6,
        tables.REVERSE_NAT6,
        tables.SOURCE_RANGE6,
        tables.MAGLEV6,
    ),
}
"""By IP version."""

SERVICES = {family.services.name: family for family in FAMILIES.values()}
BACKENDS = {family.backends.name: family for family in FAMILIES.values()}
SOURCE_RANGES = {family.source_ranges.name: family for family in FAMILIES.values()}
"""By the name of the map."""
MAGLEV = frozenset(family.maglev.name for family in FAMILIES.values())
