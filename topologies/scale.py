"""The article's network (see basic.py) with more nodes and room for more services.

client1..3 --- bgp-router1 --- k8s-master1 .10, k8s-worker1 .21 ... k8s-worker20 .40

LoadBalancer pool 172.16.8.0/22: 1,024 addresses.
"""

from __future__ import annotations

from lab.topology import Topology, load


def topology(workers: int = 20, **options: object) -> Topology:
    """`workers`: how many, up to 200; the options go to the cluster."""
    parts = load("basic", workers=workers, **{"vip_pool": "172.16.8.0/22", **options}).parts
    return Topology("scale", *parts)
