"""What the tests' cluster is in each address family: addresses, and the maps that know them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from lab.bpf import tables as t
from lab.bpf.tables import Table

from . import node


@dataclass(frozen=True)
class Family:
    """Who is who."""

    name: str
    client: str
    vip: str
    cluster_ip: str
    node: str
    node2: str
    router: str
    gateway: str
    pod: str
    pod2: str
    remote_pod: str
    loopback: str
    """Whom a pod sees that reaches itself."""
    room: int
    """Bytes in the largest datagram that the uplink takes."""
    ct_tcp: Table
    ct_any: Table
    snat: Table
    affinity: Table
    fragments: Table
    backends: Table

    def __str__(self) -> str:
        return self.name

    @property
    def flow_tables(self) -> tuple[Table, ...]:
        return (self.ct_tcp, self.ct_any, self.snat, self.affinity, self.fragments)

    @staticmethod
    def near(address: str, steps: int) -> str:
        """Another address, so many further on."""
        return str(ip_address(address) + steps)


IPV4 = Family(
    name="IPv4",
    client=node.CLIENT,
    vip=node.VIP,
    cluster_ip="10.96.0.10",
    node=node.NODE,
    node2=node.NODE2,
    router=node.ROUTER,
    gateway=node.GATEWAY,
    pod=node.POD,
    pod2=node.POD2,
    remote_pod=node.REMOTE_POD,
    loopback="169.254.42.1",
    room=1472,
    ct_tcp=t.CT_TCP,
    ct_any=t.CT_ANY,
    snat=t.SNAT,
    affinity=t.AFFINITY,
    fragments=t.FRAGMENTS,
    backends=t.BACKENDS,
)
IPV6 = Family(
    name="IPv6",
    client=node.CLIENT_6,
    vip=node.VIP_6,
    cluster_ip="fd00:96::10",
    node=node.NODE_6,
    node2=node.NODE2_6,
    router=node.ROUTER_6,
    gateway=node.GATEWAY_6,
    pod=node.POD_6,
    pod2=node.POD2_6,
    remote_pod=node.REMOTE_POD_6,
    loopback="100::a9fe:2a01",
    room=1452,
    ct_tcp=t.CT_TCP6,
    ct_any=t.CT_ANY6,
    snat=t.SNAT6,
    affinity=t.AFFINITY6,
    fragments=t.FRAGMENTS6,
    backends=t.BACKENDS6,
)

BOTH = pytest.mark.parametrize("family", [IPV4, IPV6], ids=str)
