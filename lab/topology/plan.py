"""The plan: a topology with every name and address decided.

Rendering (FRR text, links, map entries) and effects read only this. It survives JSON, so that
the command line reads the plan of a running lab from its run directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any

from lab.errors import InputError


class NodeKind(str, Enum):
    """What a node is for."""

    HOST = "host"
    ROUTER = "router"
    CONTROL = "control"
    MASTER = "master"
    WORKER = "worker"


@dataclass(frozen=True)
class Interface:
    """One leg of a node in a network (a broadcast domain)."""

    name: str
    network: str
    address: IPv4Interface
    mac: str
    address6: IPv6Interface | None = None


@dataclass(frozen=True)
class PlannedNode:
    """One network namespace with its interfaces and its part in the lab."""

    name: str
    kind: NodeKind
    interfaces: tuple[Interface, ...]
    default_route: IPv4Address | None = None
    daemons: tuple[str, ...] = ()
    """FRR daemons in the order of their start; empty where no FRR runs."""
    pod_cidr: IPv4Network | None = None
    router_ip: IPv4Address | None = None
    """Address of cilium_host: the node's own address in its pod network."""
    asn: int | None = None
    """AS number of the node's BGP speaker, if it is to have one."""
    default_route6: IPv6Address | None = None
    pod_cidr6: IPv6Network | None = None
    """None, as `router_ip6`, unless the cluster has both address families."""
    router_ip6: IPv6Address | None = None

    @property
    def is_kube(self) -> bool:
        return self.kind in (NodeKind.MASTER, NodeKind.WORKER)

    @property
    def address(self) -> IPv4Address:
        """The address that other nodes know it by: that of its first interface."""
        return self.interfaces[0].address.ip

    @property
    def address6(self) -> IPv6Address | None:
        """The same by IPv6, where its first network has it."""
        leg = self.interfaces[0].address6
        return leg.ip if leg is not None else None


@dataclass(frozen=True)
class Network:
    """A broadcast domain: one bridge, one subnet."""

    name: str
    subnet: IPv4Network
    subnet6: IPv6Network | None = None


@dataclass(frozen=True)
class Cluster:
    """What the Kubernetes cluster and its BGP peering share."""

    api_address: IPv4Address
    api_port: int
    service_cidr: IPv4Network
    cluster_cidr: IPv4Network
    """All pod networks lie in it."""
    node_ports: tuple[int, int]
    vip_pool: IPv4Network
    asn: int
    router: IPv4Address
    """BGP peer of every node."""
    profile: str
    """`cilium-1.10` or `modern`."""
    bgp_password: str = ""
    """TCP MD5 signature of all sessions (RFC 2385); empty: none."""
    options: Mapping[str, str] = field(default_factory=dict)
    vip_pool6: IPv6Network | None = None
    """IPv6 addresses of LoadBalancer services. None, as all that follows: an IPv4 cluster."""
    service_cidr6: IPv6Network | None = None
    cluster_cidr6: IPv6Network | None = None
    router6: IPv6Address | None = None
    """BGP peer of every node for IPv6 routes."""


@dataclass(frozen=True)
class Plan:
    """A whole lab, resolved."""

    name: str
    networks: tuple[Network, ...]
    nodes: tuple[PlannedNode, ...]
    cluster: Cluster | None

    def node(self, name: str) -> PlannedNode:
        """The node of that name; InputError lists the names there are."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise InputError(f"no node {name!r}; there are {', '.join(n.name for n in self.nodes)}")

    @property
    def kube_nodes(self) -> tuple[PlannedNode, ...]:
        return tuple(node for node in self.nodes if node.is_kube)

    def to_json(self) -> dict[str, Any]:
        """Plain values for json.dumps; from_json reads them back."""
        return _plain_plan(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        return cls(
            name=data["name"],
            networks=tuple(_network(n) for n in data["networks"]),
            nodes=tuple(_node(n) for n in data["nodes"]),
            cluster=_cluster(data["cluster"]) if data["cluster"] else None,
        )


_ADDRESSES = (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)


def _plain_plan(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "networks": [_plain(network) for network in plan.networks],
        "nodes": [
            {**_plain(node), "interfaces": [_plain(i) for i in node.interfaces]}
            for node in plan.nodes
        ],
        "cluster": _plain(plan.cluster) if plan.cluster else None,
    }


def _plain(record: object) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in vars(record).items()}


def _plain_value(value: object) -> object:
    if isinstance(value, _ADDRESSES):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _network(data: Mapping[str, Any]) -> Network:
    subnet6 = IPv6Network(data["subnet6"]) if data["subnet6"] else None
    return Network(data["name"], IPv4Network(data["subnet"]), subnet6)


def _interface(data: Mapping[str, Any]) -> Interface:
    return Interface(
        name=data["name"],
        network=data["network"],
        address=IPv4Interface(data["address"]),
        mac=data["mac"],
        address6=IPv6Interface(data["address6"]) if data["address6"] else None,
    )


def _node(data: Mapping[str, Any]) -> PlannedNode:
    return PlannedNode(
        name=data["name"],
        kind=NodeKind(data["kind"]),
        interfaces=tuple(_interface(i) for i in data["interfaces"]),
        default_route=IPv4Address(data["default_route"]) if data["default_route"] else None,
        daemons=tuple(data["daemons"]),
        pod_cidr=IPv4Network(data["pod_cidr"]) if data["pod_cidr"] else None,
        router_ip=IPv4Address(data["router_ip"]) if data["router_ip"] else None,
        asn=data["asn"],
        default_route6=IPv6Address(data["default_route6"]) if data["default_route6"] else None,
        pod_cidr6=IPv6Network(data["pod_cidr6"]) if data["pod_cidr6"] else None,
        router_ip6=IPv6Address(data["router_ip6"]) if data["router_ip6"] else None,
    )


def _cluster(data: Mapping[str, Any]) -> Cluster:
    low, high = data["node_ports"]
    return Cluster(
        api_address=IPv4Address(data["api_address"]),
        api_port=data["api_port"],
        service_cidr=IPv4Network(data["service_cidr"]),
        cluster_cidr=IPv4Network(data["cluster_cidr"]),
        node_ports=(low, high),
        vip_pool=IPv4Network(data["vip_pool"]),
        asn=data["asn"],
        router=IPv4Address(data["router"]),
        profile=data["profile"],
        bgp_password=data["bgp_password"],
        options=dict(data["options"]),
        vip_pool6=IPv6Network(data["vip_pool6"]) if data["vip_pool6"] else None,
        service_cidr6=IPv6Network(data["service_cidr6"]) if data["service_cidr6"] else None,
        cluster_cidr6=IPv6Network(data["cluster_cidr6"]) if data["cluster_cidr6"] else None,
        router6=IPv6Address(data["router6"]) if data["router6"] else None,
    )
