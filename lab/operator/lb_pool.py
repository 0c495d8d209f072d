"""CiliumLoadBalancerIPPool: its blocks as ranges of addresses, and what a Service asks them for.

Pure. Facts from Cilium's LB-IPAM documentation and operator/pkg/lbipam.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network, summarize_address_range
from typing import Any

from lab.kube import selectors
from lab.kube.selectors import Selector

Object = dict[str, Any]
Address = IPv4Address | IPv6Address

IPS = ("lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips")
SHARING_KEY = ("lbipam.cilium.io/sharing-key", "io.cilium/lb-ipam-sharing-key")
SHARING_ACROSS = (
    "lbipam.cilium.io/sharing-cross-namespace",
    "io.cilium/lb-ipam-sharing-cross-namespace",
)
"""Annotations: today's name and the older alias."""


class BlockError(Exception):
    """A block that names no addresses; the text says why."""


@dataclass(eq=False)
class Range:
    """A run of addresses of one pool, and who uses which of them."""

    pool: str
    first: Address
    last: Address
    reserved: frozenset[Address] = frozenset()
    """First and last of a CIDR, where the pool does not give them out."""
    users: dict[Address, list[Ask]] = field(default_factory=dict)

    def __contains__(self, address: Address) -> bool:
        if address.version != self.first.version:
            return False
        return int(self.first) <= int(address) <= int(self.last)

    def __str__(self) -> str:
        blocks = list(summarize_address_range(self.first, self.last))
        return str(blocks[0]) if len(blocks) == 1 else f"{self.first} - {self.last}"

    def overlaps(self, other: Range) -> bool:
        return self.first in other or other.first in self

    def free(self) -> Address | None:
        """The first address that nobody uses."""
        for number in range(int(self.first), int(self.last) + 1):
            address = type(self.first)(number)
            if address not in self.users and address not in self.reserved:
                return address
        return None

    @property
    def size(self) -> int:
        return int(self.last) - int(self.first) + 1 - len(self.reserved)


@dataclass
class Pool:
    """A pool as written, with the ranges that its blocks make."""

    name: str
    created: tuple[str, str]
    """Creation time and uid: of two pools that overlap the later one gives way."""
    ranges: list[Range]
    selector: Selector | None = None
    """None serves every Service."""
    disabled: bool = False
    conflict: str = ""
    """Why the pool gives nothing out: the overlap, in Cilium's words."""

    @classmethod
    def of(cls, pool: Object) -> Pool:
        """The pool in a CiliumLoadBalancerIPPool object; BlockError when a block is none."""
        meta, spec = pool["metadata"], pool["spec"]
        keep_ends = spec.get("allowFirstLastIPs", "Yes") != "No"
        ranges = [_range(meta["name"], b, keep_ends=keep_ends) for b in spec.get("blocks") or ()]
        return cls(
            name=meta["name"],
            created=(meta.get("creationTimestamp", ""), meta.get("uid", "")),
            ranges=ranges,
            selector=selectors.from_object(spec.get("serviceSelector")),
            disabled=bool(spec.get("disabled")),
        )

    @property
    def open(self) -> bool:
        """Gives out addresses now."""
        return not self.disabled and not self.conflict

    def serves(self, ask: Ask) -> bool:
        return self.selector is None or selectors.matches(self.selector, ask.labels)


def _range(pool: str, block: Object, *, keep_ends: bool) -> Range:
    try:
        if block.get("cidr"):
            network = ip_network(block["cidr"], strict=False)
            first, last = network[0], network[-1]
            ends = frozenset() if keep_ends or network.num_addresses <= 2 else {first, last}
            return Range(pool, first, last, frozenset(ends))
        first = ip_address(block.get("start", ""))
        last = ip_address(block["stop"]) if block.get("stop") else first
    except ValueError as exc:
        raise BlockError(f"{block}: {exc}") from exc
    if first.version != last.version or int(first) > int(last):
        raise BlockError(f"{block}: start lies behind stop")
    return Range(pool, first, last)


@dataclass(frozen=True, eq=False)
class Ask:
    """What one Service wants. `service` is `namespace/name`."""

    service: str
    labels: Mapping[str, str]
    """Its own, and the pseudo labels `io.kubernetes.service.{name,namespace}`."""
    ports: frozenset[tuple[str, int]] = frozenset()
    wanted: tuple[Address, ...] = ()
    versions: tuple[int, ...] = (4,)
    """IP versions of which an address each is wanted when none is named."""
    sharing_key: str = ""
    shares_with: frozenset[str] = frozenset()
    """Other namespaces, or `*`."""
    policy: str = "Cluster"
    selector: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, service: Object) -> Ask:
        """The request in a Service object."""
        meta, spec = service["metadata"], service["spec"]
        notes = meta.get("annotations") or {}
        pseudo = {
            "io.kubernetes.service.namespace": meta["namespace"],
            "io.kubernetes.service.name": meta["name"],
        }
        texts = [spec.get("loadBalancerIP", ""), *_note(notes, IPS).split(",")]
        families = spec.get("ipFamilies") or ["IPv4"]
        return cls(
            service=f"{meta['namespace']}/{meta['name']}",
            labels={**(meta.get("labels") or {}), **pseudo},
            ports=frozenset((p.get("protocol", "TCP"), p["port"]) for p in spec.get("ports") or ()),
            wanted=tuple(dict.fromkeys(_addresses(texts))),
            versions=tuple(4 if family == "IPv4" else 6 for family in families),
            sharing_key=_note(notes, SHARING_KEY),
            shares_with=frozenset(filter(None, _note(notes, SHARING_ACROSS).split(","))),
            policy=spec.get("externalTrafficPolicy", "Cluster"),
            selector=tuple(sorted((spec.get("selector") or {}).items())),
        )

    @property
    def namespace(self) -> str:
        return self.service.partition("/")[0]

    def refuses(self, other: Ask) -> str:
        """Why the two cannot share an address; "" when they can."""
        if not self.sharing_key or self.sharing_key != other.sharing_key:
            return "different sharing key"
        if not (self._admits(other) and other._admits(self)):
            return "the sharing of the IP is not allowed across the namespaces"
        if self.ports & other.ports:
            return "same port"
        if self.policy != other.policy:
            return "different external traffic policy"
        if self.policy == "Local" and self.selector != other.selector:
            return "externalTrafficPolicy Local with different selectors"
        return ""

    def _admits(self, other: Ask) -> bool:
        return self.namespace == other.namespace or bool(self.shares_with & {other.namespace, "*"})


def _note(annotations: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((annotations[name] for name in names if name in annotations), "")


def _addresses(texts: list[str]) -> Iterator[Address]:
    for text in texts:
        try:
            yield ip_address(text.strip())
        except ValueError:
            # Cilium passes over what is no address, and so serves the rest of the list.
            continue
