"""The smallest lab with everything that a sandbox must clean up: links, a bridge, daemons.

host1 .11 ---+
             +--- lan 10.9.0.0/24 --- router1 .1 (FRR)
host2 .12 ---+
"""

from __future__ import annotations

from lab.topology import Topology, host, link, links, many, network, router


def topology() -> Topology:
    hosts = many(host, "host{}", 2)
    return Topology(
        "pair",
        network("lan", "10.9.0.0/24", gateway="10.9.0.1"),
        router("router1"),
        link("router1:leg0", "lan", "10.9.0.1"),
        hosts,
        links(hosts, "lan", "10.9.0.11"),
    )
