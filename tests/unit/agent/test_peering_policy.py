"""CiliumBGPPeeringPolicy, the first version of Cilium's BGP resources, as a node's BGP."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from lab.agent.bgp import peering_policy
from lab.agent.bgp.facts import Facts, pool_of
from lab.agent.refused import Refused
from lab.agent.services.model import Kind
from lab.frr.model import Advertisement, BgpConfig, GracefulRestart
from tests.unit.agent.bgp_given import BOTH, EVERYTHING, ROUTER, SECOND, facts, told, vip, vip6


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
