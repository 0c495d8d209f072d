"""What a node's BGP is composed from, in tests: the node's facts, its VIPs, Cilium's resources."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from lab.agent.bgp.announce import Announced
from lab.agent.bgp.facts import Facts
from lab.agent.bgp.version2 import Advertised, Resources
from lab.agent.services.model import Kind
from lab.frr.model import BgpConfig
from tests.unit.agent.objects import service

ROUTER = IPv4Address("192.168.1.1")
SECOND = IPv4Address("192.168.1.2")
VIP = IPv4Address("172.16.10.5")
EVERYTHING: dict[str, Any] = {"matchExpressions": [{"key": "no", "operator": "DoesNotExist"}]}


def facts(*services: Announced, **fields: Any) -> Facts:
    given: dict[str, Any] = {"labels": {"rack": "a"}, "services": services, **fields}
    given.setdefault("pod_cidrs", [IPv4Network("10.0.1.0/24")])
    return Facts("k8s-worker1", IPv4Address("192.168.1.21"), **given)


def vip(*, local: bool = False, kind: Kind = Kind.LOAD_BALANCER, **fields: Any) -> Announced:
    return Announced(VIP, service(**fields), local, kind)


def told(config: BgpConfig | None) -> list[str]:
    assert config is not None
    return [str(each.prefix) for each in config.advertisements]


VIP6 = IPv6Address("2001:db8:172::5")
BOTH = (IPv4Network("10.0.1.0/24"), IPv6Network("fd00:10:0:1::/64"))


def vip6(*, local: bool = False) -> Announced:
    return Announced(VIP6, service(), local, Kind.LOAD_BALANCER)


def resources(*advertisements: dict[str, Any], **changes: Any) -> Resources:
    peer = {"name": "r1", "peerASN": 64512, "peerAddress": "192.168.1.1"}
    peer |= {"peerConfigRef": {"name": "pc"}, **changes.get("peer", {})}
    instance = {"name": "main", "localASN": 64512, "peers": [peer]}
    family = {"afi": "ipv4", "safi": "unicast", "advertisements": {"matchLabels": {"ad": "yes"}}}
    return Resources(
        clusters={"c": {"bgpInstances": [instance], **changes.get("cluster", {})}},
        peers={"pc": {"families": [family], **changes.get("config", {})}},
        advertisements={
            "a": Advertised(
                changes.get("labels", {"ad": "yes"}), {"advertisements": list(advertisements)}
            )
        },
        overrides=changes.get("overrides", {}),
    )


def services_ad(**fields: Any) -> dict[str, Any]:
    what = {"addresses": ["LoadBalancerIP"], **fields.pop("service", {})}
    base = {"advertisementType": "Service", "service": what, "selector": EVERYTHING}
    return {**base, **fields}
