"""A topology as its author wrote it: frozen parts, not yet checked.

The words build parts and decide nothing. They accept any keyword: one that has no meaning is
kept and reported by the check together with all other mistakes, instead of a TypeError that
hides the rest. Addresses stay text for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from lab.errors import InputError
from lab.topology.plan import NodeKind

Options = Mapping[str, object]


@dataclass(frozen=True)
class Network:
    """A broadcast domain with its subnet."""

    name: str
    subnet: str
    options: Options = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """A machine of some kind."""

    name: str
    kind: NodeKind
    options: Options = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """A leg of a node in a network. `interface` None: the next free eth0, eth1, ..."""

    node: str
    interface: str | None
    network: str
    address: str
    options: Options = field(default_factory=dict)

    def __str__(self) -> str:
        end = f"{self.node}:{self.interface}" if self.interface else self.node
        return f"link {end} - {self.network}"


@dataclass(frozen=True)
class ClusterParts:
    """Kubernetes over the masters and workers."""

    options: Options = field(default_factory=dict)


Part = Network | Node | Link | ClusterParts


class Topology:
    """A named collection of parts, in the order of the drawing."""

    def __init__(self, name: str, *parts: Part | Sequence[Part]) -> None:
        self.name = name
        self.parts = tuple(_flat(parts))
        self.networks = tuple(part for part in self.parts if isinstance(part, Network))
        self.nodes = tuple(part for part in self.parts if isinstance(part, Node))
        self.links = tuple(part for part in self.parts if isinstance(part, Link))
        self.clusters = tuple(part for part in self.parts if isinstance(part, ClusterParts))


def network(name: str, subnet: str, **options: object) -> Network:
    """A broadcast domain with its subnet in CIDR form."""
    return Network(name, subnet, options)


def host(name: str, **options: object) -> Node:
    """A machine without a routing daemon: a client, a server outside."""
    return Node(name, NodeKind.HOST, options)


def router(name: str, **options: object) -> Node:
    """A router with FRR; the one on the cluster's network is the BGP peer of its nodes."""
    return Node(name, NodeKind.ROUTER, options)


def control(name: str, **options: object) -> Node:
    """The machine where kubectl and the hubble command run."""
    return Node(name, NodeKind.CONTROL, options)


def master(name: str, **options: object) -> Node:
    """A Kubernetes node that runs the API server."""
    return Node(name, NodeKind.MASTER, options)


def worker(name: str, **options: object) -> Node:
    """A Kubernetes node for pods."""
    return Node(name, NodeKind.WORKER, options)


def link(end: str, network: str, address: str, **options: object) -> Link:
    """A leg of a node: `end` is `node` or `node:interface`, the prefix length the network's."""
    node, _, interface = end.partition(":")
    return Link(node, interface or None, network, address, options)


def many(word: Callable[..., Node], pattern: str, count: int, **options: object) -> list[Node]:
    """`count` nodes of one kind; `{}` in the pattern becomes 1, 2, ..."""
    if not isinstance(count, int) or count < 0:
        raise InputError(f"{pattern!r}: {count!r} is no number of nodes")
    return [word(pattern.format(number), **options) for number in range(1, count + 1)]


def links(
    nodes: Iterable[Node], network: str, first: str, *, interface: str | None = None
) -> list[Link]:
    """A leg for each node in one network, with consecutive addresses from `first` on."""
    return [
        Link(node.name, interface, network, _later(first, offset))
        for offset, node in enumerate(nodes)
    ]


def cluster(**options: object) -> ClusterParts:
    """Kubernetes over the topology's masters and workers, peering with its router."""
    return ClusterParts(options)


def with_ipv6(
    topology: Topology, name: str, *, subnets: Mapping[str, str], vip_pool: str
) -> Topology:
    """A topology with an IPv6 subnet for each of its networks, and a pool for its services."""

    def both(part: Part) -> Part:
        if isinstance(part, Network) and part.name in subnets:
            return replace(part, options={**part.options, "subnet6": subnets[part.name]})
        if isinstance(part, ClusterParts):
            return replace(part, options={**part.options, "vip_pool6": vip_pool})
        return part

    return Topology(name, *(both(part) for part in topology.parts))


def _later(first: str, offset: int) -> str:
    """The address `offset` after `first`; text that is no address is left for the check."""
    try:
        return str(IPv4Address(first) + offset)
    except ValueError:
        return first


def _flat(parts: Iterable[Part | Sequence[Part]]) -> Iterable[Part]:
    for part in parts:
        if isinstance(part, (Network, Node, Link, ClusterParts)):
            yield part
        else:
            yield from part
