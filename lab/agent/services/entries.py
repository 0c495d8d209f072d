"""One frontend with its ids -> the entries of the load balancer's maps."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from itertools import count

from lab.agent.profile import Profile
from lab.agent.services.families import BACKENDS, FAMILIES, SERVICES, SOURCE_RANGES
from lab.agent.services.model import Backend, Balanced, Frontend, Kind, Protocol
from lab.bpf import maglev, structs, tables
from lab.bpf.codes import (
    WILDCARD_PORT,
    Algorithm,
    BackendState,
    Scope,
    ServiceFlag,
    ServiceFlag2,
    SourceRange,
)
from lab.bpf.layout import packed

AFFINITY_MATCH = tables.AFFINITY_MATCH.name
"""Ids tell the families apart in it."""

Place = tuple[str, bytes]
"""A map's name and a key."""
Entries = dict[Place, bytes]

_PORT_AT = {name: family.services.key.dport.offset for name, family in SERVICES.items()}
_KEY_END = struct.Struct("=HHBB")
"""Port, slot, protocol and scope, and where they are in a key; parsing all of it costs more."""

_U16, _U32 = struct.Struct("=H"), struct.Struct("=I")
_PRESENT = b"\1"

_KIND_FLAG = {
    Kind.CLUSTER_IP: ServiceFlag(0),
    Kind.NODE_PORT: ServiceFlag.NODEPORT,
    Kind.LOAD_BALANCER: ServiceFlag.LOADBALANCER,
    Kind.EXTERNAL_IPS: ServiceFlag.EXTERNAL_IP,
}


def entries(what: Balanced, number: int, ids: Mapping[Backend, int], profile: Profile) -> Entries:
    """All entries that one frontend needs, but for those of its backends: they are of all services.

    `number` is the frontend's id for reverse NAT, `ids` has the ids of its backends.
    """
    frontend = what.frontend
    assert frontend is not None
    found: Entries = {}
    family = FAMILIES[frontend.address.version]
    for slot, backend in enumerate((*what.active, *what.terminating), start=1):
        value = structs.lb4_service(backend_id=ids[backend], rev_nat_index=number)
        found[family.services.name, key(frontend, slot)] = bytes(value)
        if what.settings.affinity:
            match = structs.lb_affinity_match(backend_id=ids[backend], rev_nat_id=number)
            found[AFFINITY_MATCH, bytes(match)] = _PRESENT
    found[family.services.name, key(frontend)] = bytes(_master(what, number))
    found[family.reverse_nat.name, _U16.pack(number)] = bytes(
        family.reverse_nat.value(address=packed(frontend.address), port=frontend.port)
    )
    found.update(_source_ranges(what, number))
    found.update(_maglev(what, number, ids, profile))
    found.update(_wildcard(what, profile))
    return found


def backend_place(backend: Backend, number: int) -> Place:
    """Where the backend of an id is."""
    return FAMILIES[backend.address.version].backends.name, _U32.pack(number)


def backend_value(backend: Backend, state: BackendState) -> bytes:
    """What is there."""
    address = packed(backend.address)
    return bytes(
        FAMILIES[backend.address.version].backends.value(
            address=address, port=backend.port, proto=backend.protocol, flags=state
        )
    )


def key(frontend: Frontend, slot: int = 0) -> bytes:
    """The service map's key of a frontend (slot 0) or of one of its backends."""
    return bytes(
        FAMILIES[frontend.address.version].services.key(
            address=packed(frontend.address),
            dport=frontend.port,
            backend_slot=slot,
            proto=frontend.protocol,
            scope=frontend.scope,
        )
    )


def frontend_of(name: str, raw: bytes) -> tuple[Frontend, int]:
    """The frontend and the slot that a key of a service map names."""
    family = SERVICES[name]
    parsed = family.services.key.parse(raw)
    address = family.address(parsed.address)
    frontend = Frontend(address, parsed.dport, Protocol(parsed.proto), Scope(parsed.scope))
    return frontend, parsed.backend_slot


def is_frontend(place: Place) -> bool:
    """Is it slot 0 of a frontend, and not what stands for all unlisted ports of an address?"""
    name, raw = place
    if name not in SERVICES:
        return False
    port, slot, _, _ = _KEY_END.unpack_from(raw, _PORT_AT[name])
    return not slot and bool(port != WILDCARD_PORT)


def slots(frontend: Place) -> Iterator[Place]:
    """The places of a frontend, from its slot 0 on."""
    name, raw = frontend
    at = _PORT_AT[name] + 2
    for slot in count():
        yield name, raw[:at] + _U16.pack(slot) + raw[at + 2 :]


def backend_of(name: str, raw: bytes) -> Backend:
    """The backend that a value of a backend map describes."""
    family = BACKENDS[name]
    parsed = family.backends.value.parse(raw)
    return Backend(family.address(parsed.address), parsed.port, Protocol(parsed.proto))


def number_of(name: str, key: bytes, value: bytes) -> int:
    """The id for reverse NAT that an entry is about; 0 for none."""
    if name in BACKENDS:
        return 0
    if name in SERVICES:
        return int(structs.lb4_service.parse(value).rev_nat_index)
    if name == AFFINITY_MATCH:
        return int(structs.lb_affinity_match.parse(key).rev_nat_id)
    if name in SOURCE_RANGES:
        return int(SOURCE_RANGES[name].source_ranges.key.parse(key).rev_nat_id)
    return int(_U16.unpack(key)[0])


def rank(place: Place, *, removing: bool) -> int:
    """When to touch an entry, so that no packet ever sees half of a service.

    What a packet reads last is written first: backends, then what hangs on the frontend's id,
    then the slots, then the frontend with its count. One that is split into scopes sends pods on
    to its inner half, so that is there before it; and the refusal of an address's other ports
    comes when the ports that it has do. Removal goes the other way.
    """
    name, raw = place
    if name in BACKENDS:
        order = 0
    elif name not in SERVICES:
        order = 1
    else:
        port, slot, _, scope = _KEY_END.unpack_from(raw, _PORT_AT[name])
        if slot:
            order = 2
        elif scope == Scope.INTERNAL:
            order = 3
        else:
            order = 5 if port == WILDCARD_PORT else 4
    return 11 - order if removing else order


def _master(what: Balanced, number: int) -> structs.lb4_service:
    settings = what.settings
    return structs.lb4_service(
        backend_id=settings.affinity | settings.algorithm << 24,
        count=len(what.taking),
        qcount=len(what.terminating) if what.active else 0,
        rev_nat_index=number,
        flags=_flags(what),
        flags2=_flags2(what),
    )


def _flags(what: Balanced) -> ServiceFlag:
    flags = _KIND_FLAG[what.slot.kind]
    if what.settings.local_external and what.slot.kind is not Kind.CLUSTER_IP:
        flags |= ServiceFlag.EXT_LOCAL
    if what.settings.affinity:
        flags |= ServiceFlag.AFFINITY
    if what.routable:
        flags |= ServiceFlag.ROUTABLE
    if _checks_sources(what):
        flags |= ServiceFlag.SOURCE_RANGE
    return flags


def _flags2(what: Balanced) -> ServiceFlag2:
    flags, settings = ServiceFlag2(0), what.settings
    if settings.local_internal:
        flags |= ServiceFlag2.INT_LOCAL
    if settings.two_scopes and what.slot.kind is not Kind.CLUSTER_IP:
        flags |= ServiceFlag2.TWO_SCOPES
    if settings.dsr and what.slot.kind is not Kind.CLUSTER_IP:
        flags |= ServiceFlag2.FORWARD_DSR
    if settings.ranges_deny and _checks_sources(what):
        flags |= ServiceFlag2.SOURCE_RANGE_DENY
    return flags


def _checks_sources(what: Balanced) -> bool:
    return bool(what.settings.source_ranges) and what.slot.kind is Kind.LOAD_BALANCER


def _source_ranges(what: Balanced, number: int) -> Iterator[tuple[Place, bytes]]:
    if what.frontend is None or not _checks_sources(what):
        return
    ranges = FAMILIES[what.frontend.address.version].source_ranges
    policy = SourceRange.DENY if what.settings.ranges_deny else SourceRange.ALLOW
    for prefix in what.settings.source_ranges:
        if prefix.version == what.frontend.address.version:
            range_key = ranges.key(
                prefixlen=32 + prefix.prefixlen,
                rev_nat_id=number,
                addr=packed(prefix.network_address),
            )
            yield (ranges.name, bytes(range_key)), bytes([policy])


def _maglev(
    what: Balanced, number: int, ids: Mapping[Backend, int], profile: Profile
) -> Iterator[tuple[Place, bytes]]:
    algorithm = what.settings.algorithm
    wanted = profile.maglev if algorithm is Algorithm.DEFAULT else algorithm is Algorithm.MAGLEV
    # One backend needs no table to be found, and a table has 64 KiB.
    if wanted and what.external and len(what.taking) > 1 and what.frontend is not None:
        maps = FAMILIES[what.frontend.address.version]
        named = {_name(backend): ids[backend] for backend in what.taking}
        image = maglev.image(named, profile.maglev_size)
        yield (maps.maglev.name, _U16.pack(number)), image


def _name(backend: Backend) -> str:
    """What a backend is hashed by: the same on every node, and the same as Cilium's."""
    address = f"[{backend.address}]" if backend.address.version == 6 else str(backend.address)
    return f"[{address}:{backend.port}/{backend.protocol.name},State:active]"


def _wildcard(what: Balanced, profile: Profile) -> Iterator[tuple[Place, bytes]]:
    """The entry for all unlisted ports of an address, shared by the services that have it."""
    frontend, kind = what.frontend, what.slot.kind
    assert frontend is not None
    if not profile.wildcards or kind not in (Kind.LOAD_BALANCER, Kind.CLUSTER_IP):
        return
    anything = Frontend(frontend.address, WILDCARD_PORT, Protocol.ANY)
    flags = _KIND_FLAG[kind] | (ServiceFlag.ROUTABLE if what.routable else ServiceFlag(0))
    services = FAMILIES[frontend.address.version].services
    yield (services.name, key(anything)), bytes(structs.lb4_service(flags=flags))
