"""What a node's maps hold after the table's operations, taken apart."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from lab.agent.profile import Profile, profile
from lab.agent.services import entries
from lab.agent.services.entries import Entries
from lab.agent.services.model import Balanced
from lab.agent.services.table import Operation
from lab.agent.services.translate import Place, balance
from lab.bpf import structs
from lab.bpf.tables import (
    BACKENDS,
    SERVICES,
)
from tests.unit.agent.objects import endpoint, endpoint_slice, service

OLD = profile("cilium-1.10", {})
NEW = profile("modern", {"maglev_size": "251"})
A, B, C = endpoint("10.0.1.1"), endpoint("10.0.2.2"), endpoint("10.0.3.3")
WEB = "default/web1-lb"


def balanced(
    *endpoints: dict[str, Any], chosen: Profile = OLD, **spec: Any
) -> tuple[Balanced, ...]:
    place = Place("k8s-worker1", (IPv4Address("192.168.1.21"),), chosen)
    return balance(service(**spec), [endpoint_slice(*endpoints)], place)


def apply(held: Entries, operations: list[Operation]) -> Entries:
    """The maps after the operations."""
    result = dict(held)
    for op in operations:
        if op.value is None:
            del result[op.map, op.key]
        else:
            result[op.map, op.key] = op.value
    return result


def frontends(held: Entries) -> dict[str, structs.lb4_service]:
    """Slot 0 of every frontend, by address:port."""
    found = {}
    for (name, raw), value in held.items():
        if name == SERVICES.name:
            key = structs.lb4_key.parse(raw)
            if key.backend_slot == 0:
                where = f"{IPv4Address(key.address)}:{key.dport}"
                found[where] = structs.lb4_service.parse(value)
    return found


def backends_of(held: Entries, address: str) -> list[str]:
    """Addresses of a frontend's backends in the order of their slots, through the maps."""
    slots = {}
    for (name, raw), value in held.items():
        key = structs.lb4_key.parse(raw) if name == SERVICES.name else None
        if key is not None and key.backend_slot and str(IPv4Address(key.address)) == address:
            number = structs.lb4_service.parse(value).backend_id
            backend = held[BACKENDS.name, number.to_bytes(4, "little")]
            slots[key.backend_slot] = str(entries.backend_of(BACKENDS.name, backend).address)
    return [slots[n] for n in sorted(slots)]


def states(held: Entries) -> dict[str, int]:
    """Whether backends are active or terminating, by their addresses."""
    return {
        str(entries.backend_of(BACKENDS.name, value).address): structs.lb4_backend.parse(
            value
        ).flags
        for (name, _), value in held.items()
        if name == BACKENDS.name
    }


def ids(held: Entries) -> tuple[set[int], set[int]]:
    """Of frontends and of backends."""
    backends = {int.from_bytes(key, "little") for name, key in held if name == BACKENDS.name}
    return {each.rev_nat_index for each in frontends(held).values()}, backends
