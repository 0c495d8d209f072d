"""Kubernetes services and endpoint slices -> frontends with backends, for one node.

Semantics: Kubernetes' reference "Virtual IPs and Service Proxies" and Cilium's "Kubernetes
Without kube-proxy".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from lightkube.models.core_v1 import ServicePort, ServiceSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Service
from lightkube.resources.discovery_v1 import EndpointSlice

from lab.agent.profile import Profile
from lab.agent.services.endpoints import Endpoints, endpoints
from lab.agent.services.mistakes import (
    ALGORITHM,
    ALGORITHMS,
    DSR,
    FORWARDING,
    RANGES_DENY,
    RANGES_POLICY,
)
from lab.agent.services.model import (
    Address,
    Balanced,
    Frontend,
    Kind,
    Prefix,
    Protocol,
    Settings,
    Slot,
)
from lab.bpf.codes import Algorithm, Scope

DEFAULT_AFFINITY = 10800
"""Seconds: Kubernetes' default of sessionAffinityConfig.clientIP.timeoutSeconds."""

KNOWN_TEXTS = 65536
"""Addresses that are kept as read."""

HEADLESS = "None"
"""A clusterIP that says: names lead to the pods themselves, and no proxy serves the service."""
PROXY_NAME = "service.kubernetes.io/service-proxy-name"

_UNSPECIFIED: tuple[Address, ...] = (IPv4Address(0), IPv6Address(0))


@dataclass(frozen=True)
class Place:
    """The node for which services are translated."""

    node: str
    addresses: tuple[Address, ...]
    """The node's own, one of each family that it has: where NodePorts listen."""
    profile: Profile


def balance(
    service: Service, slices: Sequence[EndpointSlice], place: Place
) -> tuple[Balanced, ...]:
    """Every frontend of one service on one node, in the order in which ids are given."""
    spec, meta = service.spec, service.metadata
    if spec is None or meta is None or spec.type == "ExternalName":
        return ()
    if spec.clusterIP == HEADLESS:
        return ()
    if PROXY_NAME in (meta.labels or {}):
        return ()
    return tuple(
        balanced for port in spec.ports or () for balanced in _port(service, port, slices, place)
    )


def service_name(meta: ObjectMeta | None) -> str:
    """namespace/name of an object."""
    assert meta is not None
    return f"{meta.namespace}/{meta.name}"


def vips(service: Service) -> list[Address]:
    """The addresses that the cluster gave to a service of type LoadBalancer."""
    status = service.status.loadBalancer if service.status else None
    if service.spec is None or service.spec.type != "LoadBalancer" or status is None:
        return []
    return list(addresses(ingress.ip for ingress in status.ingress or ()))


def _port(
    service: Service, port: ServicePort, slices: Sequence[EndpointSlice], place: Place
) -> Iterator[Balanced]:
    assert service.spec is not None
    graceful = place.profile.terminating
    found = {
        version: endpoints(slices, port, node=place.node, graceful=graceful, version=version)
        for version in versions(service.spec)
    }
    settings = _settings(service, port, place.profile)
    since = str(service.metadata.creationTimestamp) if service.metadata else ""
    name, protocol = service_name(service.metadata), Protocol[port.protocol or "TCP"]
    for kind, found_at, number in _exposures(service, port, place):
        for index, (version, address) in enumerate(found_at):
            for scope in _scopes(kind, settings):
                slot = Slot(name, port.name or "", kind, index, scope)
                frontend = Frontend(address, number, protocol, scope) if address else None
                yield _balanced(slot, frontend, settings, found[version], since)


Exposed = list[tuple[int, Address | None]]
"""IP versions and addresses; an address that is still to come is None."""


def versions(spec: ServiceSpec) -> tuple[int, ...]:
    """The IP versions of a service, the first one its main one."""
    return tuple(6 if family == "IPv6" else 4 for family in spec.ipFamilies or ("IPv4",))


def _exposures(
    service: Service, port: ServicePort, place: Place
) -> Iterator[tuple[Kind, Exposed, int]]:
    """(kind, where, port number), in the families that the service and the node have."""
    spec = service.spec
    assert spec is not None
    of_node = {address.version for address in place.addresses}
    served = [version for version in versions(spec) if version in of_node]

    def exposed(found: Iterable[Address], otherwise: Sequence[None] = ()) -> Exposed:
        known = list(found)
        by_version = {v: [each for each in known if each.version == v] for v in served}
        return [(v, each) for v, some in by_version.items() for each in some or otherwise]

    yield Kind.CLUSTER_IP, exposed(addresses(spec.clusterIPs or [spec.clusterIP])), port.port
    if port.nodePort:
        yield Kind.NODE_PORT, exposed([*_UNSPECIFIED, *place.addresses]), port.nodePort
    yield Kind.EXTERNAL_IPS, exposed(addresses(spec.externalIPs or ())), port.port
    if spec.type == "LoadBalancer":
        yield Kind.LOAD_BALANCER, exposed(vips(service), otherwise=[None]), port.port


def _scopes(kind: Kind, settings: Settings) -> tuple[Scope, ...]:
    if kind is not Kind.CLUSTER_IP and settings.two_scopes:
        return (Scope.EXTERNAL, Scope.INTERNAL)
    return (Scope.EXTERNAL,)


def _balanced(
    slot: Slot, frontend: Frontend | None, settings: Settings, found: Endpoints, since: str
) -> Balanced:
    inside = slot.kind is Kind.CLUSTER_IP or slot.scope is Scope.INTERNAL
    local = settings.local_internal if inside else settings.local_external
    backends = found.local if local else found.everywhere
    return Balanced(slot, frontend, settings, backends.active, backends.terminating, since)


def _settings(service: Service, port: ServicePort, profile: Profile) -> Settings:
    assert service.spec is not None
    assert service.metadata is not None
    spec, notes = service.spec, service.metadata.annotations or {}
    return Settings(
        local_external=spec.externalTrafficPolicy == "Local",
        local_internal=spec.internalTrafficPolicy == "Local",
        affinity=_affinity(spec),
        source_ranges=_ranges(spec),
        ranges_deny=RANGES_DENY.get(notes.get(RANGES_POLICY, ""), False),
        algorithm=ALGORITHMS.get(notes.get(ALGORITHM, ""), Algorithm.DEFAULT),
        dsr=DSR.get(notes.get(FORWARDING, ""), (port.protocol or "TCP") in profile.dsr),
    )


def _affinity(spec: ServiceSpec) -> int:
    if spec.sessionAffinity != "ClientIP":
        return 0
    config = spec.sessionAffinityConfig.clientIP if spec.sessionAffinityConfig else None
    return (config.timeoutSeconds if config else None) or DEFAULT_AFFINITY


def _ranges(spec: ServiceSpec) -> tuple[Prefix, ...]:
    texts = spec.loadBalancerSourceRanges or ()
    return tuple(ip_network(text.strip(), strict=False) for text in texts)


def addresses(texts: Iterable[str | None]) -> Iterator[Address]:
    """The addresses among texts as a spec has them: absent ones and `None` left out."""
    for text in texts:
        if text and text != "None":
            yield _parsed(text)


@lru_cache(maxsize=KNOWN_TEXTS)
def _parsed(text: str) -> Address:
    """An address read once: every settling asks for those of all services again."""
    return ip_address(text)
