"""Cilium's BGP resources of version 2 (CiliumBGPClusterConfig and the others) as a node's BGP."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from lab.agent.bgp import version2
from lab.agent.bgp.facts import Facts
from lab.agent.bgp.version2 import Resources
from lab.agent.refused import Refused
from lab.frr.model import Advertisement, BgpConfig
from tests.unit.agent.bgp_given import (
    BOTH,
    ROUTER,
    VIP6,
    facts,
    resources,
    services_ad,
    told,
    vip,
    vip6,
)


@pytest.mark.parametrize(
    ("family", "prefixes"),
    [
        ("ipv4", ["10.0.1.0/24", "172.16.10.5/32"]),
        ("ipv6", ["2001:db8:172::/120", "fd00:10:0:1::/64"]),
    ],
)
def test_version_2_advertises_by_family(family: str, prefixes: list[str]) -> None:
    wanted = {"afi": family, "safi": "unicast", "advertisements": {"matchLabels": {"ad": "yes"}}}
    given = resources(
        {"advertisementType": "PodCIDR"},
        services_ad(service={"aggregationLengthIPv6": 120}),
        config={"families": [wanted]},
    )
    assert told(by_version2(given, facts(vip(), vip6(), pod_cidrs=BOTH))) == prefixes


def by_version2(given: Resources, about: Facts) -> BgpConfig | None:
    return version2.compose(given, about, None)


def test_version_2_announces_what_a_chosen_advertisement_selects() -> None:
    assert told(by_version2(resources(services_ad()), facts(vip()))) == ["172.16.10.5/32"]


@pytest.mark.parametrize(
    "given",
    [
        resources(),
        resources(services_ad(selector=None)),
        resources(services_ad(), labels={"ad": "no"}),
        resources(services_ad(service={"addresses": ["ClusterIP"]})),
        resources(services_ad(), config={"families": []}),
    ],
)
def test_version_2_announces_nothing_that_is_not_selected(given: Resources) -> None:
    assert told(by_version2(given, facts(vip()))) == []


@pytest.mark.parametrize(("local", "prefix"), [(False, "172.16.10.0/24"), (True, "172.16.10.5/32")])
def test_aggregation_spares_local_services(local: bool, prefix: str) -> None:
    given = resources(services_ad(service={"aggregationLengthIPv4": 24}))
    assert told(by_version2(given, facts(vip(local=local)))) == [prefix]


def test_overlapping_advertisements_are_put_together() -> None:
    given = resources(
        services_ad(attributes={"communities": {"standard": ["1:1"]}, "localPreference": 10}),
        services_ad(attributes={"communities": {"large": ["1:2:3"]}, "localPreference": 20}),
    )
    config = by_version2(given, facts(vip()))
    assert config is not None
    assert config.advertisements == (
        Advertisement(
            IPv4Network("172.16.10.5/32"),
            communities=frozenset({"1:1"}),
            large_communities=frozenset({"1:2:3"}),
            local_preference=20,
        ),
    )


def test_an_override_changes_a_node_s_values() -> None:
    override = {
        "bgpInstances": [
            {
                "name": "main",
                "routerID": "10.9.9.9",
                "localASN": 65009,
                "peers": [{"name": "r1", "localAddress": "192.168.1.99"}],
            }
        ]
    }
    config = by_version2(resources(overrides={"k8s-worker1": override}), facts())
    assert config is not None
    assert (config.asn, str(config.router_id)) == (65009, "10.9.9.9")
    assert config.neighbors[0].update_source == "192.168.1.99"


def test_a_peer_may_be_the_default_gateway() -> None:
    found: dict[str, Any] = {"peerAddress": None, "autoDiscovery": {"mode": "DefaultGateway"}}
    config = by_version2(resources(peer=found), facts(gateway=ROUTER))
    assert config is not None
    assert config.neighbors[0].address == ROUTER
    found["autoDiscovery"] = {"defaultGateway": {"addressFamily": "ipv6"}}
    config = by_version2(resources(peer=found), facts(gateway=ROUTER, gateway6=VIP6))
    assert config is not None
    assert config.neighbors[0].address == VIP6


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (resources(peer={"peerASN": 0}), "peer r1: FRR needs its peerASN"),
        (resources(peer={"peerAddress": None}), "peer r1: it has no peerAddress"),
        (
            resources({"advertisementType": "CiliumPodIPPool"}),
            "the lab has no pools of pod addresses",
        ),
        (
            resources(services_ad(attributes={"communities": {"standard": ["x"]}})),
            "'x' is no community",
        ),
    ],
)
def test_mistakes_of_version_2(given: Resources, complaint: str) -> None:
    with pytest.raises(Refused) as caught:
        by_version2(given, facts(vip()))
    assert complaint in str(caught.value)
    assert "CiliumBGPClusterConfig c" in str(caught.value)
