"""Load-balancer addresses the way Cilium 1.10 gave them out: MetalLB 0.9's pools and allocator.

Pure: a configuration text and requests in, addresses or refusals out. Facts from MetalLB 0.9.6,
internal/config and internal/allocator; an address of each IP family, since a Service can have two,
as in 0.12, the last MetalLB that read this configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from lab.kube.rules.ip_families import PREFER
from lab.operator.metallb_pools import Address, Pool, PoolError

POOL_ANNOTATION = "metallb.universe.tf/address-pool"
SHARING_ANNOTATION = "metallb.universe.tf/allow-shared-ip"
ADDRESSES_ANNOTATION = "metallb.universe.tf/loadBalancerIPs"
"""Wanted addresses with commas between: spec.loadBalancerIP has room for one."""

Port = tuple[str, int]
"""Protocol and number."""


@dataclass(frozen=True)
class Request:
    """What a Service asks for. `service` is `namespace/name`."""

    service: str
    ports: tuple[Port, ...]
    sharing_key: str = ""
    backend_key: str = ""
    """Services that share an address with externalTrafficPolicy Local need equal selectors."""
    wanted: tuple[str, ...] = ()
    pool: str = ""
    versions: tuple[int, ...] = (4,)
    """IP versions of which it is to have an address each."""
    all_needed: bool = True
    """One address alone is none; else whatever there is will do."""

    @classmethod
    def of(cls, service: dict[str, Any]) -> Request:
        """The request in a Service object."""
        meta, spec = service["metadata"], service["spec"]
        annotations = meta.get("annotations") or {}
        local = spec.get("externalTrafficPolicy") == "Local"
        selector = sorted((spec.get("selector") or {}).items())
        texts = [
            spec.get("loadBalancerIP", ""),
            *annotations.get(ADDRESSES_ANNOTATION, "").split(","),
        ]
        families = spec.get("ipFamilies") or ["IPv4"]
        return cls(
            service=f"{meta['namespace']}/{meta['name']}",
            ports=tuple((p["protocol"], p["port"]) for p in spec.get("ports") or ()),
            sharing_key=annotations.get(SHARING_ANNOTATION, ""),
            backend_key=repr(selector) if local else "",
            wanted=tuple(filter(None, (each.strip() for each in texts))),
            pool=annotations.get(POOL_ANNOTATION, ""),
            versions=tuple(6 if family == "IPv6" else 4 for family in families),
            all_needed=spec.get("ipFamilyPolicy") != PREFER,
        )


@dataclass
class _Address:
    """Who uses one address: the services that share it, and their ports."""

    sharing_key: str
    backend_key: str
    services: dict[str, tuple[Port, ...]] = field(default_factory=dict)


class Allocator:
    """Which service holds which addresses: one of an IP version at most."""

    def __init__(self) -> None:
        self.pools: tuple[Pool, ...] = ()
        self._addresses: dict[Address, _Address] = {}
        self._held: dict[str, dict[int, Address]] = {}

    def set_pools(self, pools: tuple[Pool, ...]) -> None:
        """Take a new configuration, unless an address in use has no place in it."""
        held = [(service, each) for service, some in self._held.items() for each in some.values()]
        for service, address in held:
            if not any(address in pool for pool in pools):
                raise PoolError(
                    f'new config not compatible with assigned IPs: service "{service}" cannot own '
                    f'"{address}" under new config'
                )
        self.pools = pools

    def held(self, service: str) -> tuple[Address, ...]:
        return tuple(self._held.get(service, {}).values())

    def release(self, service: str) -> bool:
        """Give back what a service holds; tells whether it held anything."""
        held = self.held(service)
        for address in held:
            self._release(service, address)
        return bool(held)

    def _release(self, service: str, address: Address) -> None:
        del self._held[service][address.version]
        use = self._addresses[address]
        del use.services[service]
        if not use.services:
            del self._addresses[address]

    def allocate(self, request: Request) -> tuple[Address, ...]:
        """The addresses a service keeps or gets, in the order of its IP versions; PoolError when
        there are none for it.
        """
        wanted = _parsed(request)
        for address in self.held(request.service):
            if address.version not in request.versions:
                self._release(request.service, address)
        given: list[Address] = []
        problems: list[PoolError] = []
        for version in request.versions:
            try:
                given.append(self._allocate(request, version, wanted.get(version)))
            except PoolError as problem:
                problems.append(problem)
        if problems and (request.all_needed or not given):
            self.release(request.service)
            raise problems[0]
        return tuple(given)

    def _allocate(self, request: Request, version: int, wanted: Address | None) -> Address:
        held = self._held.get(request.service, {}).get(version)
        if held is not None and self._may_keep(request, held, wanted):
            return held
        if held is not None:
            self._release(request.service, held)
        if wanted is not None:
            self.assign(request, wanted)
            return wanted
        pools = [p for p in self.pools if p.auto_assign]
        if request.pool:
            pools = [p for p in self.pools if p.name == request.pool]
            if not pools:
                raise PoolError(f'unknown pool "{request.pool}"')
        for address in (address for pool in pools for address in pool.of_version(version)):
            if not self._refusal(request, address):
                self.assign(request, address)
                return address
        suffix = f' in pool "{request.pool}"' if request.pool else ""
        raise PoolError(f"no available IPs{suffix}")

    def assign(self, request: Request, address: Address) -> None:
        """Hand an address to a service; PoolError when it may not have it."""
        if not any(address in pool for pool in self.pools):
            raise PoolError(f'"{address}" is not allowed in config')
        refusal = self._refusal(request, address)
        if refusal:
            raise PoolError(refusal)
        before = self._held.setdefault(request.service, {}).get(address.version)
        if before is not None:
            self._release(request.service, before)
        use = self._addresses.setdefault(
            address, _Address(request.sharing_key, request.backend_key)
        )
        use.sharing_key, use.backend_key = request.sharing_key, request.backend_key
        use.services[request.service] = request.ports
        self._held[request.service][address.version] = address

    def _may_keep(self, request: Request, held: Address, wanted: Address | None) -> bool:
        if wanted not in (None, held):
            return False
        if request.pool and not any(held in p for p in self.pools if p.name == request.pool):
            return False
        try:
            self.assign(request, held)
        except PoolError:
            return False
        return True

    def _refusal(self, request: Request, address: Address) -> str:
        """Why a service may not use an address; "" when it may."""
        use = self._addresses.get(address)
        others = sorted(s for s in use.services if s != request.service) if use else []
        if use is None or not others:
            return ""
        keys = (use.sharing_key, request.sharing_key)
        if not all(keys) or keys[0] != keys[1] or use.backend_key != request.backend_key:
            return (
                f'can\'t change sharing key for "{request.service}", address also in use by '
                f"{','.join(others)}"
            )
        for other in others:
            for protocol, number in set(use.services[other]) & set(request.ports):
                return f'port {protocol.lower()}/{number} is already in use on "{address}"'
        return ""


def _parsed(request: Request) -> dict[int, Address]:
    """The wanted addresses by IP version; PoolError for one that cannot be."""
    found: dict[int, Address] = {}
    for text in request.wanted:
        try:
            address = ip_address(text)
        except ValueError as exc:
            raise PoolError(f'invalid spec.loadBalancerIP "{text}"') from exc
        if address.version not in request.versions:
            raise PoolError(f'"{text}" is IPv{address.version}, which the service does not have')
        found[address.version] = address
    return found
