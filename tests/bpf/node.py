"""The node that a rig is: addresses, neighbours, its network and the programs' configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from lab.bpf.codes import Identity, Profile
from lab.bpf.config import DualStack, NodeConfig


@dataclass(frozen=True)
class DirectConfig(NodeConfig):
    """A node without a tunnel whose agent flags these protocols' services for direct return."""

    direct: frozenset[int] = frozenset()


def direct(config: NodeConfig, *protocols: int) -> DirectConfig:
    """In mode dsr; in mode hybrid with TCP's number alone."""
    return DirectConfig(**{**vars(config), "tunnel": False}, direct=frozenset(protocols or (6, 17)))


NODE, ROUTER = "192.168.1.21", "10.0.1.1"
NODE2, ROUTER2 = "192.168.1.22", "10.0.2.1"
GATEWAY, CLIENT = "192.168.1.1", "192.168.10.11"
POD, POD2, REMOTE_POD = "10.0.1.5", "10.0.1.6", "10.0.2.5"
VIP = "172.16.10.0"

NODE_MAC, GATEWAY_MAC = "02:00:00:00:00:15", "02:00:00:00:00:01"
NODE2_MAC = "02:00:00:00:00:16"
POD_MAC, VETH_MAC = "0a:00:00:00:01:02", "0a:00:00:00:01:01"
POD_ID, POD2_ID, POD_LABEL = 101, 102, 4321

CONFIG = NodeConfig(
    node_ip=IPv4Address(NODE),
    router_ip=IPv4Address(ROUTER),
    pod_cidr=IPv4Network("10.0.1.0/24"),
    cluster_cidr=IPv4Network("10.0.0.0/16"),
)
NATIVE = replace(CONFIG, tunnel=False)
NODE_6, ROUTER_6 = "fd00:1::21", "fd00:10:0:1::1"
NODE2_6, ROUTER2_6 = "fd00:1::22", "fd00:10:0:2::1"
GATEWAY_6, CLIENT_6 = "fd00:1::1", "fd00:192::11"
POD_6, POD2_6, REMOTE_POD_6 = "fd00:10:0:1::5", "fd00:10:0:1::6", "fd00:10:0:2::5"
VIP_6 = "fd00:172::"
DUAL = replace(
    CONFIG,
    ipv6=DualStack(
        node_ip=IPv6Address(NODE_6),
        router_ip=IPv6Address(ROUTER_6),
        pod_cidr=IPv6Network("fd00:10:0:1::/64"),
        cluster_cidr=IPv6Network("fd00:10::/48"),
    ),
)
MODERN = replace(DUAL, profile=Profile.MODERN)

INTERFACE = 1
"""Index of lo, the interface that test packets come in by; it gets the uplink's MAC address, so
that the kernel takes packets to that one for the node's own (PACKET_HOST)."""

TUNNEL = 99
"""Index of the tunnel device: no packet of a test comes in by it."""

NETWORK = f"""
link set lo address {NODE_MAC} up
link add up0 address {NODE_MAC} type veth peer name up1
link set up0 up
link set up1 up
address add {NODE}/24 dev up0
address add {NODE_6}/64 dev up0 nodad
neighbour add {GATEWAY} lladdr {GATEWAY_MAC} nud permanent dev up0
neighbour add {NODE2} lladdr {NODE2_MAC} nud permanent dev up0
neighbour add {GATEWAY_6} lladdr {GATEWAY_MAC} nud permanent dev up0
neighbour add {NODE2_6} lladdr {NODE2_MAC} nud permanent dev up0
route add default via {GATEWAY}
route add default via {GATEWAY_6}
"""

HOST_ADDRESSES = (NODE, ROUTER, NODE_6, ROUTER_6)
IDENTITIES: tuple[tuple[str, int, str | None], ...] = (
    *((address, Identity.HOST, None) for address in HOST_ADDRESSES),
    ("0.0.0.0/0", Identity.WORLD, None),
    ("::/0", Identity.WORLD, None),
    (NODE2, Identity.REMOTE_NODE, None),
    (NODE2_6, Identity.REMOTE_NODE, None),
    (ROUTER2, Identity.REMOTE_NODE, NODE2),
    (ROUTER2_6, Identity.REMOTE_NODE, NODE2),
    (REMOTE_POD, POD_LABEL, NODE2),
    (REMOTE_POD_6, POD_LABEL, NODE2),
)
"""Networks, who is there, and the node that tunnels to them."""

PODS = ((POD, POD_ID), (POD2, POD2_ID), (POD_6, POD_ID), (POD2_6, POD2_ID))
