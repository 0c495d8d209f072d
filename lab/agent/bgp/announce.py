"""Which prefixes a node announces, for which services. Pure.

MetalLB (and with it Cilium 1.10) announces a service only while some endpoint is ready;
Cilium's own control plane also announces one without endpoints. externalTrafficPolicy Local
announces from nodes with a ready endpoint of their own, in both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lightkube.models.core_v1 import ServiceSpec
from lightkube.resources.core_v1 import Node, Service
from lightkube.resources.discovery_v1 import EndpointSlice

from lab.agent.profile import Profile
from lab.agent.services.endpoints import ready_count
from lab.agent.services.model import Address, Kind
from lab.agent.services.translate import addresses, vips

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"


@dataclass(frozen=True)
class Announced:
    """An address of a service that the node may announce."""

    address: Address
    service: Service
    local: bool
    """By a traffic policy Local: never as part of an aggregate."""
    kind: Kind = Kind.LOAD_BALANCER


def announced(
    services: Iterable[Service],
    slices: Mapping[str, Sequence[EndpointSlice]],
    node: Node | None,
    profile: Profile,
    served: Collection[Address],
    *,
    kinds: Collection[Kind] = tuple(Kind),
) -> list[Announced]:
    """The addresses of services that `node` may announce; which of them it does, its BGP
    configuration says.

    `slices` has the endpoint slices of each service by namespace/name; `served` are the
    addresses that the node's datapath balances already; `kinds` are those that the
    configuration can announce.
    """
    if node is None or excluded(node):
        return []
    found = []
    for service in services:
        meta, spec = service.metadata, service.spec
        if meta is None or spec is None:
            continue
        pieces = slices.get(f"{meta.namespace}/{meta.name}", ())
        for kind, address in _addresses(service, spec, kinds):
            if address not in served:
                continue
            inside = kind is Kind.CLUSTER_IP
            policy = spec.internalTrafficPolicy if inside else spec.externalTrafficPolicy
            local = policy == "Local"
            if _wanted(pieces, node, address.version, local=local, profile=profile):
                found.append(Announced(address, service, local, kind))
    return found


def _addresses(
    service: Service, spec: ServiceSpec, kinds: Collection[Kind]
) -> Iterator[tuple[Kind, Address]]:
    if Kind.LOAD_BALANCER in kinds:
        yield from ((Kind.LOAD_BALANCER, vip) for vip in vips(service))
    if Kind.EXTERNAL_IPS in kinds:
        yield from ((Kind.EXTERNAL_IPS, each) for each in addresses(spec.externalIPs or ()))
    if Kind.CLUSTER_IP in kinds:
        inside = spec.clusterIPs or (spec.clusterIP,)
        yield from ((Kind.CLUSTER_IP, each) for each in addresses(inside))


def excluded(node: Node) -> bool:
    """An operator took the node out of load balancing, or it has no network."""
    labels = (node.metadata and node.metadata.labels) or {}
    conditions = (node.status and node.status.conditions) or ()
    cut_off = any(c.type == "NetworkUnavailable" and c.status == "True" for c in conditions)
    return EXCLUDE in labels or cut_off


def _wanted(
    slices: Sequence[EndpointSlice], node: Node, version: int, *, local: bool, profile: Profile
) -> bool:
    if local:
        assert node.metadata is not None
        return ready_count(slices, node.metadata.name, version=version) > 0
    return profile.announces_empty or ready_count(slices, version=version) > 0
