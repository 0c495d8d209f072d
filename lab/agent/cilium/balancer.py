"""`bpf lb list` and `service list`: the load balancer's maps as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.agent.cilium.columns import columns
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
        _front(key): Listed(key, value) for key, value in services.items() if key.backend_slot == 0
    }
    slots = sorted((key for key in services if key.backend_slot), key=lambda k: k.backend_slot)
    for key in slots:
        owner = found.get(_front(key))
        if owner is not None:
            number = services[key].backend_id
            owner.backends.append((number, backends.get(number)))
    return [found[front] for front in sorted(found)]


def bpf_lb_list(listed: Sequence[Listed], *, modern: bool) -> list[str]:
    """Frontends with their backends behind them; (n) is the id for reverse NAT."""
    header = "BACKEND ADDRESS (REVNAT_ID) (SLOT)" if modern else "BACKEND ADDRESS"
    rows = [("SERVICE ADDRESS", header)]
    for each in listed:
        rows += _modern_rows(each) if modern else _article_rows(each)
    return columns(rows)


def service_list(listed: Sequence[Listed], *, modern: bool) -> list[str]:
    """Services by the id of their reverse NAT, as the agent numbers them."""
    rows = [("ID", "Frontend", "Service Type", "Backend")]
    numbered = [each for each in listed if each.service.rev_nat_index]
    for each in sorted(numbered, key=lambda each: each.service.rev_nat_index):
        lines = list(_backend_lines(each, modern)) or [""]
        name = _name(each.key, with_protocol=modern)
        rows.append((str(each.service.rev_nat_index), name, kind(each.service), lines[0]))
        rows += [("", "", "", line) for line in lines[1:]]
    return columns(rows)


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
    yield _name(each.key), f"{_nobody(each.key)} ({number}) [{words}]"
    for _, backend in each.backends:
        yield "", f"{_backend(backend)} ({number})"


def _modern_rows(each: Listed) -> Iterator[tuple[str, str]]:
    number, name = each.service.rev_nat_index, _name(each.key, with_protocol=True)
    words = flags(each.service, modern=True)
    yield f"{name} (0)", f"{_nobody(each.key)} ({number}) (0) [{words}]"
    for slot, (_, backend) in enumerate(each.backends, start=1):
        yield f"{name} ({slot})", f"{_backend(backend, with_protocol=True)} ({number}) ({slot})"


def _backend_lines(each: Listed, modern: bool) -> Iterator[str]:
    for slot, (_, backend) in enumerate(each.backends, start=1):
        state = ""
        if modern and backend is not None:
            state = f" ({BackendState(backend.flags).name.lower()})"
        yield f"{slot} => {_backend(backend, with_protocol=modern)}{state}"


def _nobody(key: Key) -> str:
    """What stands for a backend in the line of a frontend."""
    return "0.0.0.0:0" if isinstance(key, lb4_key) else "[::]:0"


def _name(key: Key, *, with_protocol: bool = False) -> str:
    scope = "/i" if key.scope == Scope.INTERNAL else ""
    kind_ = f"/{protocol(key.proto)}" if with_protocol else ""
    return f"{with_port(key.address, key.dport)}{kind_}{scope}"


def _backend(backend: Backend | None, *, with_protocol: bool = False) -> str:
    if backend is None:
        return "backend not found"
    kind_ = f"/{protocol(backend.proto)}" if with_protocol else ""
    return f"{with_port(backend.address, backend.port)}{kind_}"


def _front(key: Key) -> tuple[Any, int, int, int]:
    """What the slots of a frontend share, in the order of a listing."""
    where = key.address if isinstance(key.address, int) else bytes(key.address)
    return where, key.dport, key.proto, key.scope
