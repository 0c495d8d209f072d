"""Cilium's BGP resources of both versions as a node's BGP."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest

from lab.agent.bgp import peering_policy, version2
from lab.agent.bgp.announce import Announced
from lab.agent.bgp.facts import Facts, attributes, pool_of
from lab.agent.bgp.gateway import default_gateway, default_gateway6
from lab.agent.bgp.node_config import node_config
from lab.agent.bgp.refused import Refused
from lab.agent.bgp.selection import selects
from lab.agent.bgp.version2 import Advertised, Resources
from lab.agent.services.model import Kind
from lab.frr.model import Advertisement, BgpConfig, GracefulRestart
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


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        (None, {}, False),
        ({}, {}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "1"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {"a": "1"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {}, True),
    ],
)
def test_selectors(selector: Any, labels: dict[str, str], matches: bool) -> None:
    assert selects(selector, labels) is matches


def policy(**router: Any) -> dict[str, Any]:
    neighbor = {"peerAddress": "192.168.1.1/32", "peerASN": 64512}
    one = {"localASN": 64512, "neighbors": [neighbor], "serviceSelector": EVERYTHING, **router}
    return {"nodeSelector": {"matchLabels": {"rack": "a"}}, "virtualRouters": [one]}


def by_policy(spec: dict[str, Any], given: Facts) -> BgpConfig | None:
    return peering_policy.compose({"p": spec}, given, None)


def test_a_policy_announces_the_services_that_it_selects() -> None:
    assert told(by_policy(policy(), facts(vip()))) == ["172.16.10.5/32"]


@pytest.mark.parametrize("selector", [None, {"matchLabels": {"other": "x"}}])
def test_without_a_match_nothing_is_announced(selector: Any) -> None:
    assert told(by_policy(policy(serviceSelector=selector), facts(vip()))) == []


def test_a_policy_for_other_nodes_is_none_of_ours() -> None:
    assert by_policy(policy(), facts(labels={"rack": "b"})) is None


def test_two_policies_for_one_node_are_an_error() -> None:
    with pytest.raises(Refused, match=r"a and b both select k8s-worker1"):
        peering_policy.compose({"a": policy(), "b": policy()}, facts(), None)


def test_a_service_of_another_class_is_left_to_others() -> None:
    other = vip(loadBalancerClass="example.org/lb")
    ours = vip(loadBalancerClass="io.cilium/bgp-control-plane")
    assert told(by_policy(policy(), facts(other))) == []
    assert told(by_policy(policy(), facts(ours))) == ["172.16.10.5/32"]


def test_pod_networks_and_other_addresses_on_request() -> None:
    spec = policy(exportPodCIDR=True, serviceAdvertisements=["ClusterIP"])
    given = facts(vip(kind=Kind.CLUSTER_IP), vip())
    assert told(by_policy(spec, given)) == ["10.0.1.0/24", "172.16.10.5/32"]


VIP6 = IPv6Address("2001:db8:172::5")
BOTH = (IPv4Network("10.0.1.0/24"), IPv6Network("fd00:10:0:1::/64"))


def vip6(*, local: bool = False) -> Announced:
    return Announced(VIP6, service(), local, Kind.LOAD_BALANCER)


@pytest.mark.parametrize(
    ("families", "prefixes"),
    [
        (("ipv4",), ["10.0.1.0/24", "172.16.10.5/32"]),
        (("ipv6",), ["2001:db8:172::5/128", "fd00:10:0:1::/64"]),
        ((), ["10.0.1.0/24", "172.16.10.5/32", "2001:db8:172::5/128", "fd00:10:0:1::/64"]),
    ],
)
def test_a_policy_s_neighbor_hears_of_the_families_it_speaks(
    families: tuple[str, ...], prefixes: list[str]
) -> None:
    written = [{"afi": family, "safi": "unicast"} for family in families]
    neighbor = {"peerAddress": "2001:db8:1::1/128", "peerASN": 64512, "families": written}
    spec = policy(exportPodCIDR=True, neighbors=[neighbor])
    assert told(by_policy(spec, facts(vip(), vip6(), pod_cidrs=BOTH))) == prefixes


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


def test_fields_of_a_policy_s_neighbor() -> None:
    neighbor = {
        "peerAddress": "192.168.1.2/32",
        "peerPort": 1179,
        "peerASN": 64999,
        "authSecretRef": "md5",
        "eBGPMultihopTTL": 3,
        "connectRetryTimeSeconds": 5,
        "holdTimeSeconds": 9,
        "keepAliveTimeSeconds": 3,
        "gracefulRestart": {"enabled": True, "restartTimeSeconds": 60},
        "families": [{"afi": "ipv4", "safi": "unicast"}],
    }
    config = by_policy(policy(neighbors=[neighbor]), facts(passwords={"md5": "s3cret"}))

    assert config is not None
    assert config.graceful_restart == GracefulRestart(60)
    (only,) = config.neighbors
    assert (only.address, only.port, only.asn) == (SECOND, 1179, 64999)
    assert (only.password, only.ebgp_multihop, only.connect_retry) == ("s3cret", 3, 5)
    assert (only.hold, only.keepalive, only.families) == (9, 3, (4,))
    assert only.graceful_restart is True


def test_a_second_router_of_another_as_is_a_local_as() -> None:
    spec = policy()
    spec["virtualRouters"].append(
        {"localASN": 65001, "neighbors": [{"peerAddress": "192.168.1.2/32", "peerASN": 65002}]}
    )
    config = by_policy(spec, facts())
    assert config is not None
    assert [n.local_asn for n in config.neighbors] == [None, 65001]


def test_peers_may_hear_of_a_prefix_in_different_ways() -> None:
    plain = {"peerAddress": "192.168.1.1/32", "peerASN": 64512}
    rule = {
        "selectorType": "CiliumLoadBalancerIPPool",
        "selector": {"matchLabels": {"pool": "x"}},
        "communities": {"standard": ["64512:1"], "wellKnown": ["no-export"]},
        "localPreference": 50,
    }
    special = {**plain, "peerAddress": "192.168.1.2/32", "advertisedPathAttributes": [rule]}
    pools = [pool_of({"pool": "x"}, {"blocks": [{"cidr": "172.16.10.0/24"}]})]
    config = by_policy(policy(neighbors=[plain, special]), facts(vip(), pools=pools))

    assert config is not None
    assert config.advertisements == (
        Advertisement(IPv4Network("172.16.10.5/32"), neighbors=frozenset({ROUTER})),
        Advertisement(
            IPv4Network("172.16.10.5/32"),
            communities=frozenset({"64512:1", "no-export"}),
            local_preference=50,
            neighbors=frozenset({SECOND}),
        ),
    )


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


def test_communities_in_their_written_forms() -> None:
    written = {"communities": {"standard": ["4227858433"], "wellKnown": ["no-export-subconfed"]}}
    assert attributes(written).communities == {"64512:1", "local-AS"}
    with pytest.raises(ValueError, match="no well-known community"):
        attributes({"communities": {"wellKnown": ["sometimes"]}})


def test_the_default_gateway_of_a_routing_table() -> None:
    table = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    )
    assert default_gateway(table) == ROUTER
    assert default_gateway(table.splitlines()[0]) is None


def test_the_default_gateway_of_an_ipv6_routing_table() -> None:
    rest = "00000400 00000001 00000000"
    table = (
        f"20010db8000100000000000000000000 40 {'0' * 32} 00 {'0' * 32} {rest} 00000001     eth0\n"
        f"{'0' * 32} 00 {'0' * 32} 00 20010db8000100000000000000000001 {rest} 00000003     eth0\n"
        f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200       lo\n"
    )
    assert default_gateway6(table) == IPv6Address("2001:db8:1::1")
    assert default_gateway6(table.splitlines()[2]) is None


SUMMARY = {"ipv4Unicast": {"peers": {"192.168.1.1": {"pfxRcd": 0, "pfxSnt": 2}}}}


def test_the_state_of_a_session_that_is_up() -> None:
    neighbors = {
        "192.168.1.1": {
            "bgpState": "Established",
            "bgpTimerUpEstablishedEpoch": 0,
            "bgpTimerHoldTimeMsecs": 9000,
            "bgpTimerKeepAliveIntervalMsecs": 3000,
        }
    }
    found = node_config(resources(), facts(), SUMMARY, neighbors)
    assert found is not None
    (peer,) = found["status"]["bgpInstances"][0]["peers"]
    assert (peer["name"], peer["peeringState"]) == ("r1", "established")
    assert peer["establishedTime"] == "1970-01-01T00:00:00Z"
    assert peer["timers"]["appliedHoldTimeSeconds"] == 9
    assert peer["routeCount"] == [
        {"afi": "ipv4", "safi": "unicast", "received": 0, "advertised": 2}
    ]


def test_the_state_of_a_session_that_nobody_knows() -> None:
    found = node_config(resources(), facts(), {}, {})
    assert found is not None
    (peer,) = found["status"]["bgpInstances"][0]["peers"]
    assert (peer["peeringState"], peer["routeCount"]) == ("idle", [])


def test_a_node_that_is_not_selected_has_no_state() -> None:
    elsewhere = {"nodeSelector": {"matchLabels": {"rack": "z"}}}
    assert node_config(resources(cluster=elsewhere), facts(), {}, {}) is None
