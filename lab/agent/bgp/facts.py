"""What Cilium's BGP resources are read against: the node, its services, pools and secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network, summarize_address_range
from typing import Any

from lab.agent.bgp.announce import Announced
from lab.agent.bgp.composing import Attributes
from lab.agent.bgp.selection import Labels, selects
from lab.agent.services.model import Address, Kind, Prefix

Json = Mapping[str, Any]

CLASSES = (None, "io.cilium/bgp-control-plane")
"""Load balancer classes whose services are announced."""

KINDS = {
    "LoadBalancerIP": Kind.LOAD_BALANCER,
    "ClusterIP": Kind.CLUSTER_IP,
    "ExternalIP": Kind.EXTERNAL_IPS,
}

_STANDARD = re.compile(r"\d{1,5}:\d{1,5}|\d{1,10}")
_LARGE = re.compile(r"\d{1,10}:\d{1,10}:\d{1,10}")
_WELL_KNOWN = {
    "no-export": "no-export",
    "no-advertise": "no-advertise",
    "no-export-subconfed": "local-AS",
    "no-peer": "no-peer",
    "planned-shut": "graceful-shutdown",
    "accept-own": "accept-own",
    "blackhole": "blackhole",
    "llgr-stale": "llgr-stale",
    "no-llgr": "no-llgr",
    "internet": "internet",
}
"""Cilium's names and FRR's."""


@dataclass(frozen=True)
class Pool:
    """A pool of LoadBalancer addresses."""

    labels: Labels
    networks: tuple[Prefix, ...]


@dataclass(frozen=True)
class Facts:
    """One node, and the cluster as it matters to its BGP."""

    node: str
    address: IPv4Address
    pod_cidrs: Sequence[Prefix]
    """One of each IP version that the node has."""
    labels: Labels
    services: Sequence[Announced] = ()
    pools: Sequence[Pool] = ()
    passwords: Mapping[str, str] = field(default_factory=dict)
    """By the name of their Secret in kube-system."""
    gateway: IPv4Address | None = None
    gateway6: IPv6Address | None = None
    annotations: Labels = field(default_factory=dict)

    def discovered(self, peer: Json) -> Address | None:
        """The default gateway of the family that a peer's autoDiscovery names."""
        how = peer.get("autoDiscovery")
        if not how:
            return None
        family = (how.get("defaultGateway") or {}).get("addressFamily", "ipv4")
        return self.gateway6 if family == "ipv6" else self.gateway

    def chosen(self, selector: Json | None, addresses: Sequence[str]) -> Iterator[Announced]:
        """Addresses of the wanted kinds of services that a selector matches; None matches none."""
        kinds = {KINDS[name] for name in addresses}
        for each in self.services:
            spec, meta = each.service.spec, each.service.metadata
            if spec is None or meta is None or each.kind not in kinds:
                continue
            names = {
                "io.kubernetes.service.name": meta.name or "",
                "io.kubernetes.service.namespace": meta.namespace or "",
            }
            if spec.loadBalancerClass in CLASSES and selects(
                selector, {**(meta.labels or {}), **names}
            ):
                yield each

    def in_pools(self, address: Address, selector: Json | None) -> bool:
        """Whether a pool that the selector matches has the address."""
        return any(
            address in network
            for pool in self.pools
            if selects(selector, pool.labels)
            for network in pool.networks
            if network.version == address.version
        )


def host_prefix(each: Announced, aggregation: int | None) -> Prefix:
    """The prefix that an address is announced as; a Local service is never aggregated."""
    if aggregation is None or each.local:
        return ip_network(each.address)
    return ip_network((each.address, aggregation), strict=False)


def attributes(written: Json | None) -> Attributes:
    """`communities` and `localPreference` of an object; ValueError for a community that is none."""
    found = written or {}
    communities: Json = found.get("communities") or {}
    standard = [_checked(each, _STANDARD) for each in communities.get("standard") or ()]
    large = [_checked(each, _LARGE) for each in communities.get("large") or ()]
    names = communities.get("wellKnown") or ()
    unknown = [name for name in names if name not in _WELL_KNOWN]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no well-known community: {', '.join(_WELL_KNOWN)}")
    return Attributes(
        frozenset([*map(_pair, standard), *(_WELL_KNOWN[name] for name in names)]),
        frozenset(large),
        found.get("localPreference"),
    )


def pool_of(labels: Labels | None, spec: Json) -> Pool:
    """A CiliumLoadBalancerIPPool."""
    networks: list[Prefix] = []
    for block in spec.get("blocks") or ():
        if block.get("cidr"):
            networks.append(ip_network(block["cidr"], strict=False))
        else:
            first, last = ip_address(block["start"]), ip_address(block.get("stop", block["start"]))
            networks += summarize_address_range(first, last)
    return Pool(labels or {}, tuple(networks))


def _checked(text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"{text!r} is no community")
    return text


def _pair(text: str) -> str:
    """A standard community as FRR reads it: two halves, even when written as one number."""
    if ":" in text:
        return text
    return f"{int(text) >> 16}:{int(text) & 0xFFFF}"
