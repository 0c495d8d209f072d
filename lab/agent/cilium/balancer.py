"""`bpf lb list`, `service list` and `service get`: what the load balancer's maps say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.agent.cilium.columns import Rows
from lab.agent.cilium.text import protocol, with_port
from lab.bpf.codes import BackendState, Scope, ServiceFlag, ServiceFlag2
from lab.bpf.structs import lb4_backend, lb4_key, lb4_service, lb6_backend, lb6_key

Key = lb4_key | lb6_key
Backend = lb4_backend | lb6_backend

_TYPES = (
    (ServiceFlag.EXTERNAL_IP, "ExternalIPs"),
    (ServiceFlag.NODEPORT, "NodePort"),
    (ServiceFlag.LOADBALANCER, "LoadBalancer"),
    (ServiceFlag.HOSTPORT, "HostPort"),
)


@dataclass
class Listed:
    """One frontend with its slots, as the maps hold them."""

    key: Key
    service: lb4_service
    backends: list[tuple[int, Backend | None]] = field(default_factory=list)
    """(id, backend) in the order of their slots; None: the id leads nowhere."""


def listing(services: Mapping[Any, lb4_service], backends: Mapping[int, Any]) -> list[Listed]:
    """The frontends of one IP version with their backends, by address and port."""
    found = {
        front(key): Listed(key, value) for key, value in services.items() if key.backend_slot == 0
    }
    slots = sorted((key for key in services if key.backend_slot), key=lambda k: k.backend_slot)
    for key in slots:
        owner = found.get(front(key))
        if owner is not None:
            number = services[key].backend_id
            owner.backends.append((number, backends.get(number)))
    return [found[front] for front in sorted(found)]


def bpf_lb_list(listed: Sequence[Listed], *, modern: bool) -> Rows:
    """Frontends with their backends behind them; (n) is the id for reverse NAT."""
    header = "BACKEND ADDRESS (REVNAT_ID) (SLOT)" if modern else "BACKEND ADDRESS"
    rows: Rows = [("SERVICE ADDRESS", header)]
    for each in listed:
        rows += _modern_rows(each) if modern else _article_rows(each)
    return rows


@dataclass(frozen=True)
class Choice:
    """A backend of a service: where it is, and whether it takes new connections."""

    address: str
    state: str


@dataclass(frozen=True)
class Service:
    """A service as the agent numbers it: by the id of its reverse NAT."""

    id: int
    frontend: str
    type: str
    backends: list[Choice]
    """In the order of their slots."""


def services(listed: Sequence[Listed], *, modern: bool) -> list[Service]:
    """The services by their number."""
    found = [
        Service(
            each.service.rev_nat_index,
            name(each.key, with_protocol=modern),
            kind(each.service),
            [_choice(number, backend, modern) for number, backend in each.backends],
        )
        for each in listed
        if each.service.rev_nat_index
    ]
    return sorted(found, key=lambda each: each.id)


def service_list(found: Sequence[Service], *, modern: bool) -> Rows:
    """A line a backend; 1.10 does not tell their states."""
    rows: Rows = [("ID", "Frontend", "Service Type", "Backend")]
    for each in found:
        lines = [
            f"{slot} => {backend.address}" + (f" ({backend.state})" if modern else "")
            for slot, backend in enumerate(each.backends, 1)
        ] or [""]
        rows.append((str(each.id), each.frontend, each.type, lines[0]))
        rows += [("", "", "", line) for line in lines[1:]]
    return rows


def service_get(found: Sequence[Service], number: int) -> list[str] | None:
    """One service and its backends; None when no frontend has that number."""
    with_number = [each for each in found if each.id == number]
    if not with_number:
        return None
    (first, *_) = with_number
    behind = [
        f"\t\t{slot} => {backend.address} ({number})"
        for slot, backend in enumerate(first.backends, 1)
    ]
    return [f"{first.frontend} =>", *behind]


def kind(service: lb4_service) -> str:
    """Why the frontend exists: the type of its service."""
    return next((text for flag, text in _TYPES if service.flags & flag), "ClusterIP")


def flags(service: lb4_service, *, modern: bool) -> str:
    """The flags' words in the order in which Cilium prints them."""
    first, second = service.flags, service.flags2
    words = [
        (True, kind(service)),
        (first & ServiceFlag.EXT_LOCAL, "Local"),
        (modern and second & ServiceFlag2.INT_LOCAL, "InternalLocal"),
        (modern and second & ServiceFlag2.TWO_SCOPES, "two-scopes"),
        (first & ServiceFlag.AFFINITY, "sessionAffinity"),
        (not first & ServiceFlag.ROUTABLE, "non-routable"),
        (first & ServiceFlag.SOURCE_RANGE, "check source-range"),
        (second & ServiceFlag2.SOURCE_RANGE_DENY, "deny"),
        (second & ServiceFlag2.FORWARD_DSR, "dsr"),
    ]
    return ", ".join(word for holds, word in words if holds)


def _article_rows(each: Listed) -> Iterator[tuple[str, str]]:
    number = each.service.rev_nat_index
    words = flags(each.service, modern=False)
    yield name(each.key), f"{_nobody(each.key)} ({number}) [{words}]"
    for backend_id, backend in each.backends:
        yield "", f"{address_of(backend)} ({number})" if backend else _missing(backend_id)


def _modern_rows(each: Listed) -> Iterator[tuple[str, str]]:
    number, frontend = each.service.rev_nat_index, name(each.key, with_protocol=True)
    words = flags(each.service, modern=True)
    yield f"{frontend} (0)", f"{_nobody(each.key)} ({number}) (0) [{words}]"
    for slot, (backend_id, backend) in enumerate(each.backends, start=1):
        text = f"{address_of(backend, with_protocol=True)} ({number}) ({slot})" if backend else ""
        yield f"{frontend} ({slot})", text or _missing(backend_id)


def _choice(number: int, backend: Backend | None, modern: bool) -> Choice:
    if backend is None:
        return Choice(_missing(number), "missing")
    state = BackendState(backend.flags).name.lower()
    return Choice(address_of(backend, with_protocol=modern), state)


def _missing(number: int) -> str:
    return f"backend {number} not found"


def _nobody(key: Key) -> str:
    """What stands for a backend in the line of a frontend."""
    return "0.0.0.0:0" if isinstance(key, lb4_key) else "[::]:0"


def name(key: Key, *, with_protocol: bool = False) -> str:
    """A frontend's address."""
    scope = "/i" if key.scope == Scope.INTERNAL else ""
    kind_ = f"/{protocol(key.proto)}" if with_protocol else ""
    return f"{with_port(key.address, key.dport)}{kind_}{scope}"


def address_of(backend: Backend, *, with_protocol: bool = False) -> str:
    """Where a backend is."""
    kind_ = f"/{protocol(backend.proto)}" if with_protocol else ""
    return f"{with_port(backend.address, backend.port)}{kind_}"


def front(key: Key) -> tuple[Any, int, int, int]:
    """What the slots of a frontend of one IP version share, in the order of a listing."""
    where = key.address if isinstance(key.address, int) else bytes(key.address)
    return where, key.dport, key.proto, key.scope
