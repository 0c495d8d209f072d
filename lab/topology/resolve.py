"""Topology -> Plan: every name, address and daemon decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from itertools import count, repeat
from typing import Any

from lab.errors import TopologyError
from lab.topology import vocabulary
from lab.topology.check import interface_names, problems
from lab.topology.check_cluster import POD_PREFIX, POD_PREFIX6
from lab.topology.model import Link, Node, Options, Topology
from lab.topology.plan import Cluster, Interface, Network, NodeKind, Plan, PlannedNode


def resolve(topology: Topology) -> Plan:
    """The plan of a topology; TopologyError with all its problems when it has any."""
    found = problems(topology)
    if found:
        raise TopologyError(f"topology {topology.name!r}", found)
    networks = _networks(topology)
    interfaces = _interfaces(topology, networks)
    cluster = _cluster(topology, interfaces) if topology.clusters else None
    shares = _shares(topology, cluster)
    return Plan(
        name=topology.name,
        networks=tuple(networks.values()),
        nodes=tuple(
            _node(topology, node, interfaces[node.name], cluster, shares) for node in topology.nodes
        ),
        cluster=cluster,
    )


def mac_of(address: IPv4Address) -> str:
    """A locally administered MAC that carries the address, so that captures read easily."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x00, *address.packed))


def address6_of(address: IPv4Interface, subnet6: IPv6Network) -> IPv6Interface:
    """The IPv6 address that reads like an IPv4 one: host part 21 becomes ::21."""
    host = int(address.ip) - int(address.network.network_address)
    return IPv6Interface((int(subnet6.network_address) + int(str(host), 16), subnet6.prefixlen))


def _networks(topology: Topology) -> dict[str, Network]:
    return {
        n.name: Network(n.name, IPv4Network(n.subnet), _network6(n.options.get("subnet6")))
        for n in topology.networks
    }


def _network6(written: object) -> IPv6Network | None:
    return IPv6Network(str(written)) if written else None


def _interfaces(
    topology: Topology, networks: Mapping[str, Network]
) -> dict[str, tuple[Interface, ...]]:
    legs: dict[str, tuple[Interface, ...]] = {}
    for link, name in zip(topology.links, interface_names(topology), strict=True):
        leg = _interface(link, name, networks[link.network])
        legs[link.node] = (*legs.get(link.node, ()), leg)
    return legs


def _interface(link: Link, name: str, network: Network) -> Interface:
    address = IPv4Interface(f"{link.address}/{network.subnet.prefixlen}")
    return Interface(
        name=name,
        network=network.name,
        address=address,
        mac=str(link.options.get("mac", mac_of(address.ip))),
        address6=address6_of(address, network.subnet6) if network.subnet6 else None,
    )


def _node(
    topology: Topology,
    node: Node,
    interfaces: tuple[Interface, ...],
    cluster: Cluster | None,
    shares: _Shares,
) -> PlannedNode:
    is_kube = node.kind in (NodeKind.MASTER, NodeKind.WORKER)
    pod_cidr = next(shares.pod_networks) if is_kube else None
    pod_cidr6 = next(shares.pod_networks6, None) if is_kube else None
    of_router = cluster.asn if cluster and node.kind is NodeKind.ROUTER else None
    gateway = _default_route(topology, node, interfaces)
    return PlannedNode(
        name=node.name,
        kind=node.kind,
        interfaces=interfaces,
        default_route=gateway,
        default_route6=_default_route6(gateway, interfaces),
        daemons=_daemons(node.kind, cluster),
        pod_cidr=pod_cidr,
        router_ip=pod_cidr.network_address + 1 if pod_cidr else None,
        pod_cidr6=pod_cidr6,
        router_ip6=pod_cidr6.network_address + 1 if pod_cidr6 else None,
        asn=next(shares.as_numbers) if is_kube else of_router,
    )


def _default_route(
    topology: Topology, node: Node, interfaces: tuple[Interface, ...]
) -> IPv4Address | None:
    """The node's own gateway, or that of its first network unless the node is the gateway."""
    networks = {network.name: network for network in topology.networks}
    of_network = networks[interfaces[0].network].options.get("gateway")
    written = node.options.get("gateway", of_network)
    gateway = IPv4Address(str(written)) if written is not None else None
    return None if gateway in [leg.address.ip for leg in interfaces] else gateway


def _default_route6(
    gateway: IPv4Address | None, interfaces: tuple[Interface, ...]
) -> IPv6Address | None:
    """The same gateway by its IPv6 address, where its network has a subnet for that."""
    for leg in interfaces:
        if gateway is not None and leg.address6 is not None and gateway in leg.address.network:
            via = IPv4Interface((gateway, leg.address.network.prefixlen))
            return address6_of(via, leg.address6.network).ip
    return None


def _daemons(kind: NodeKind, cluster: Cluster | None) -> tuple[str, ...]:
    """zebra first: the others are its clients."""
    if kind in (NodeKind.HOST, NodeKind.CONTROL):
        return ()
    bfd = cluster is not None and bool(cluster.options.get("bfd"))
    return ("zebra", "bgpd", "bfdd") if bfd else ("zebra", "bgpd")


def _cluster(topology: Topology, interfaces: dict[str, tuple[Interface, ...]]) -> Cluster:
    defaults = {name: option.default for name, option in vocabulary.CLUSTER.items()}
    written: dict[str, Any] = {**defaults, **topology.clusters[0].options}
    kinds = {node.kind: node.name for node in topology.nodes}
    at_master = interfaces[kinds[NodeKind.MASTER]][0]
    at_router = _router(topology, interfaces, at_master.network)
    dual = bool(written["vip_pool6"])
    return Cluster(
        api_address=at_master.address.ip,
        api_port=written["api_port"],
        service_cidr=IPv4Network(written["service_cidr"]),
        cluster_cidr=IPv4Network(written["cluster_cidr"]),
        node_ports=written["node_ports"],
        vip_pool=IPv4Network(written["vip_pool"]),
        vip_pool6=_network6(written["vip_pool6"]),
        service_cidr6=_network6(written["service_cidr6"]) if dual else None,
        cluster_cidr6=_network6(written["cluster_cidr6"]) if dual else None,
        asn=written["asn"],
        router=at_router.address.ip,
        router6=at_router.address6.ip if dual and at_router.address6 else None,
        profile=written["profile"],
        bgp_password=written["bgp_password"],
        options=_datapath_options(written),
    )


def _router(
    topology: Topology, interfaces: dict[str, tuple[Interface, ...]], network: str
) -> Interface:
    """The leg of the cluster's router in the nodes' network."""
    routers = [node.name for node in topology.nodes if node.kind is NodeKind.ROUTER]
    legs = [leg for name in routers for leg in interfaces[name] if leg.network == network]
    return legs[0]


def _datapath_options(written: Options) -> dict[str, str]:
    """Options that the agents read, as text; those not written are left out."""
    named = ("bfd", "ttl_security", "maximum_prefixes", *vocabulary.DATAPATH)
    return {name: str(written[name]) for name in named if written.get(name) not in (None, "")}


@dataclass(frozen=True)
class _Shares:
    """What masters and workers get one after the other, in the order of the topology."""

    pod_networks: Iterator[IPv4Network]
    pod_networks6: Iterator[IPv6Network]
    as_numbers: Iterator[int]


def _shares(topology: Topology, cluster: Cluster | None) -> _Shares:
    if cluster is None:
        return _Shares(iter(()), iter(()), iter(()))
    first = topology.clusters[0].options.get("node_asn")
    return _Shares(
        pod_networks=cluster.cluster_cidr.subnets(new_prefix=POD_PREFIX),
        pod_networks6=(
            cluster.cluster_cidr6.subnets(new_prefix=POD_PREFIX6)
            if cluster.cluster_cidr6
            else iter(())
        ),
        as_numbers=count(first) if isinstance(first, int) and first else repeat(cluster.asn),
    )
