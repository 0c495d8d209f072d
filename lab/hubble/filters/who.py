"""Filters about the two sides of a flow: addresses, pods, labels, services, identities.

Every builder takes the values of one field of a FlowFilter and a side ("source", "destination")
and returns a predicate that is true when one of the values matches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from ipaddress import ip_network
from operator import attrgetter
from typing import Protocol

from lab.errors import InputError
from lab.hubble.filters import selector
from lab.hubble.filters.view import FlowView
from lab.hubble.identity import CLUSTER
from lab.hubble.lookup import Endpoint, Service

Predicate = Callable[[FlowView], bool]


class WorkloadPattern(Protocol):
    """flow.Workload as a filter: an empty part matches everything."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...


def by_ip(values: Iterable[str], attribute: str) -> Predicate:
    """Address or CIDR; `attribute` holds a packed address."""
    read = attrgetter(attribute)
    exact = set()
    ranges = []
    for text in values:
        try:
            network = ip_network(text, strict=False)
        except ValueError as exc:
            raise InputError(f"invalid IP address or CIDR {text!r}") from exc
        if network.num_addresses == 1:
            exact.add(network.network_address.packed)
        else:
            size = network.max_prefixlen
            first = int(network.network_address) >> (size - network.prefixlen)
            ranges.append((size // 8, size - network.prefixlen, first))

    def matches(flow: FlowView) -> bool:
        address = read(flow)
        if address in exact:
            return True
        number = int.from_bytes(address, "big")
        return any(
            len(address) == size and number >> shift == first for size, shift, first in ranges
        )

    return matches


def by_pod(values: Iterable[str], side: str) -> Predicate:
    """Pod name prefix with its namespace: "default/web", "kube-system/", "/web", "web"."""
    wanted = [_namespaced(text, "pod") for text in values]
    read = attrgetter(side)
    spaces = frozenset(namespace for namespace, prefix in wanted if namespace and not prefix)
    others = [each for each in wanted if each[0] not in spaces]
    whole = attrgetter(f"{side}.namespace")
    if not others:
        return lambda flow: whole(flow) in spaces

    def matches(flow: FlowView) -> bool:
        endpoint: Endpoint = read(flow)
        return endpoint.namespace in spaces or any(
            (not namespace or namespace == endpoint.namespace)
            and endpoint.pod.startswith(prefix)
            and bool(endpoint.pod or endpoint.namespace)
            for namespace, prefix in others
        )

    return matches


def by_service(values: Iterable[str], side: str) -> Predicate:
    """Service name prefix with its namespace, same forms as a pod's."""
    wanted = [_namespaced(text, "service") for text in values]
    read = attrgetter(f"{side}_service")

    def matches(flow: FlowView) -> bool:
        service: Service | None = read(flow)
        return service is not None and any(
            (not namespace or namespace == service.namespace) and service.name.startswith(prefix)
            for namespace, prefix in wanted
        )

    return matches


def by_fqdn(values: Iterable[str], side: str) -> Predicate:
    """DNS name, with `*` for any run of characters."""
    wanted = [_dns_pattern(text) for text in values]
    read = attrgetter(f"{side}_names")
    return lambda flow: any(
        pattern.fullmatch(name.rstrip(".").lower()) for name in read(flow) for pattern in wanted
    )


def by_label(values: Iterable[str], side: str) -> Predicate:
    wanted = [selector.parse(text) for text in values]
    read = attrgetter(f"{side}.labels")
    return lambda flow: any(matches(read(flow)) for matches in wanted)


def by_workload(values: Iterable[WorkloadPattern], side: str) -> Predicate:
    wanted = [(pattern.name, pattern.kind) for pattern in values]
    read = attrgetter(f"{side}.workloads")
    return lambda flow: any(
        name in ("", workload.name) and kind in ("", workload.kind)
        for workload in read(flow)
        for name, kind in wanted
    )


def by_cluster(values: Iterable[str], side: str) -> Predicate:
    """Shell patterns. The lab has one cluster, and as in Hubble only pods are known to be in it."""
    inside = any(fnmatchcase(CLUSTER, pattern) for pattern in values)
    read = attrgetter(f"{side}.pod")
    return lambda flow: inside and bool(read(flow))


def by_identity(values: Iterable[int], side: str) -> Predicate:
    wanted = frozenset(values)
    read = attrgetter(f"{side}.identity")
    return lambda flow: read(flow) in wanted


def by_port(values: Iterable[str], side: str) -> Predicate:
    wanted = set()
    for text in values:
        if not text.isdecimal() or int(text) > 65535:
            raise InputError(f"invalid port {text!r}: want a number from 0 to 65535")
        wanted.add(int(text))
    read = attrgetter(f"{side}_port")
    return lambda flow: read(flow) in wanted and flow.has_ports


def _namespaced(text: str, what: str) -> tuple[str, str]:
    """("namespace", "prefix"); a bare name is one of the default namespace, "/" means any."""
    if not text:
        raise InputError(f"invalid {what} filter {text!r}: want [namespace/]{what}")
    namespace, slash, name = text.partition("/")
    return (namespace, name) if slash else ("default", text)


def _dns_pattern(text: str) -> re.Pattern[str]:
    name = text.strip().rstrip(".").lower()
    if not name:
        raise InputError("empty DNS name in a filter")
    return re.compile(".*".join(re.escape(part) for part in name.split("*")))
