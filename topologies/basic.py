"""The article's network: LAN clients reach Kubernetes services through one BGP router.

              external 203.0.113.0/24
                       |
                       +--- external1 .10
                       | .1
LAN 192.168.10.0/24    |           Kubernetes network 192.168.1.0/24
client1 .11 ---+       |                 +--- k8s-master1 .10
client2 .12 ---+-- bgp-router1 ----------+--- k8s-worker1 .21
client3 .13 ---+   .10.1   .1.1          +--- k8s-worker2 .22
               |                         +--- k8s-worker3 .23
               |   .10.233  .1.5         +--- k8s-worker4 .24
               +--- k8s-control ---------+--- k8s-worker5 .25

LoadBalancer pool 172.16.10.0/24: announced by BGP, on no wire
"""

from __future__ import annotations

from lab.topology.model import (
    Topology,
    cluster,
    control,
    host,
    link,
    links,
    many,
    master,
    network,
    router,
    worker,
)


def topology(workers: int = 5, **options: object) -> Topology:
    """`workers`: how many; the options go to the cluster (profile, bfd, ...)."""
    clients = many(host, "client{}", 3)
    nodes = many(worker, "k8s-worker{}", workers)
    return Topology(
        "basic",
        network("external", "203.0.113.0/24", gateway="203.0.113.1"),
        network("lan", "192.168.10.0/24", gateway="192.168.10.1"),
        network("nodes", "192.168.1.0/24", gateway="192.168.1.1"),
        host("external1"),
        link("external1", "external", "203.0.113.10"),
        clients,
        links(clients, "lan", "192.168.10.11"),
        router("bgp-router1"),
        link("bgp-router1:enp7s0", "nodes", "192.168.1.1"),
        link("bgp-router1:enp1s0", "lan", "192.168.10.1"),
        link("bgp-router1:enp8s0", "external", "203.0.113.1"),
        control("k8s-control"),
        link("k8s-control", "nodes", "192.168.1.5"),
        link("k8s-control", "lan", "192.168.10.233"),
        master("k8s-master1"),
        link("k8s-master1", "nodes", "192.168.1.10"),
        nodes,
        links(nodes, "nodes", "192.168.1.21"),
        cluster(**{"asn": 64512, "vip_pool": "172.16.10.0/24", **options}),
    )
