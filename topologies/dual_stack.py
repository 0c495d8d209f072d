"""The article's network (see basic.py) with IPv6 beside IPv4 on every wire.

external 2001:db8:2::/64     LAN 2001:db8:10::/64     nodes 2001:db8:1::/64

Addresses read like their IPv4 counterparts: k8s-worker1 is 192.168.1.21 and
2001:db8:1::21, its pods are in 10.0.1.0/24 and fd00:10:0:1::/64. LoadBalancer pools
172.16.10.0/24 and 2001:db8:172::/112; each node has a BGP session with the router for each of
the two.
"""

from __future__ import annotations

from lab.topology import Topology, load
from lab.topology.model import with_ipv6


def topology(**parameters: object) -> Topology:
    """The parameters are those of basic."""
    return with_ipv6(
        load("basic", **parameters),
        "dual-stack",
        subnets={
            "external": "2001:db8:2::/64",
            "lan": "2001:db8:10::/64",
            "nodes": "2001:db8:1::/64",
        },
        vip_pool="2001:db8:172::/112",
    )
