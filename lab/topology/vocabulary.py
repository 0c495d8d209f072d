"""The options that the words of a topology know: what each means, and its value when not written.

Those in DATAPATH are handed on to the node agents as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PROFILES = ("cilium-1.10", "modern")


@dataclass(frozen=True)
class Option:
    """`values`: the only ones it may have; none listed: see the check for its form."""

    meaning: str
    default: object = None
    values: tuple[str, ...] = ()


NETWORK = {
    "gateway": Option("default route of the nodes whose first leg is in this network"),
    "subnet6": Option("IPv6 subnet: each leg gets the address that reads like its IPv4 one"),
}
NODE = {"gateway": Option("the node's default route, over that of its network")}
LINK = {"mac": Option("MAC address of the leg; computed from its IPv4 address otherwise")}

CLUSTER: Mapping[str, Option] = {
    "asn": Option("AS number of the router, and of the nodes unless node_asn is given", 64512),
    "node_asn": Option("AS number of the first node; each gets one of its own (eBGP)"),
    "vip_pool": Option("addresses of LoadBalancer services", "172.16.10.0/24"),
    "vip_pool6": Option(
        "IPv6 addresses of LoadBalancer services: makes the cluster one of both families; "
        "needs subnet6 on the nodes' network"
    ),
    "cluster_cidr": Option("addresses of pods: a /24 for each node", "10.0.0.0/16"),
    "cluster_cidr6": Option("with vip_pool6: a /64 for each node's pods", "fd00:10::/48"),
    "service_cidr": Option("addresses of services inside the cluster", "10.96.0.0/12"),
    "service_cidr6": Option("with vip_pool6: the same for IPv6", "fd00:96::/112"),
    "node_ports": Option("first and last port of NodePort services", (30000, 32767)),
    "api_port": Option("port of the API server on the master", 6443),
    "profile": Option("whose behaviour the datapath has", PROFILES[0], PROFILES),
    "bfd": Option("failure detection on all sessions: packets missed x milliseconds, as 3x50", ""),
    "bgp_password": Option("TCP MD5 signature of all sessions", ""),
    "ttl_security": Option("hops a node may be away from the router (RFC 5082); eBGP only", ""),
    "maximum_prefixes": Option("prefixes of one node at which the router ends the session", ""),
}

DATAPATH: Mapping[str, Option] = {
    "mode": Option("how replies leave the cluster", values=("snat", "dsr", "hybrid")),
    "acceleration": Option(
        "whether requests for other nodes' pods turn around in XDP", values=("disabled", "native")
    ),
    "algorithm": Option("how a backend is chosen", values=("random", "maglev")),
    "maglev_size": Option("places in a Maglev table, a prime number"),
}
