"""The keywords that the words of a topology know, and their values when not written.

`DATAPATH` are handed on to the node agents as text; what each does is theirs to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PROFILES = ("cilium-1.10", "modern")

NETWORK = ("gateway",)
NODE = ("gateway",)
LINK = ("mac",)

CLUSTER: Mapping[str, object] = {
    # AS number of the router; also of the nodes, unless node_asn is that of the first of them.
    "asn": 64512,
    "vip_pool": "172.16.10.0/24",
    "cluster_cidr": "10.0.0.0/16",
    "service_cidr": "10.96.0.0/12",
    "node_ports": (30000, 32767),
    "api_port": 6443,
    "profile": PROFILES[0],
    "bfd": "",
    "bgp_password": "",
    "node_asn": 0,
}


@dataclass(frozen=True)
class Choice:
    """The values an option may take; none listed: any text."""

    values: tuple[str, ...] = ()


DATAPATH: Mapping[str, Choice] = {
    "mode": Choice(("snat", "dsr", "hybrid")),
    "algorithm": Choice(("random", "maglev")),
    "maglev_size": Choice(),
}
