"""MetalLB's ConfigMap: the grammar, its mistakes, and the BGP that comes of it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from lab.agent.bgp.announce import Announced
from lab.agent.bgp.metallb import compose
from lab.agent.bgp.metallb_config import Manner, Settings, parse
from lab.agent.refused import Refused
from lab.frr.model import Advertisement, BgpConfig, Neighbor
from tests.unit.agent.objects import service

ARTICLE = """
peers:
- peer-address: 192.168.1.1
  peer-asn: 64512
  my-asn: 64512
address-pools:
- name: default
  protocol: bgp
  addresses: [172.16.10.0/24]
"""

EVERYTHING = """
peers:
- peer-address: 192.168.1.1
  peer-asn: 64512
  my-asn: 64512
  hold-time: 9s
  password: secret
  router-id: 10.1.1.1
- peer-address: 192.168.1.2
  peer-port: 1179
  peer-asn: 64999
  my-asn: 64600
  node-selectors:
  - match-labels: {rack: a}
  - match-expressions: [{key: kubernetes.io/hostname, operator: In, values: [k8s-worker2]}]
bgp-communities: {customers: "64512:100"}
address-pools:
- name: wide
  protocol: bgp
  addresses: [172.16.10.0/24]
  bgp-advertisements:
  - aggregation-length: 24
    localpref: 50
  - communities: [customers, "64512:7"]
- name: other
  protocol: layer2
  addresses: [10.9.9.0/24]
"""


def bgp(text: str, *vips: str, labels: dict[str, str] | None = None) -> BgpConfig:
    announced = [Announced(IPv4Address(vip), service(vip=vip), local=False) for vip in vips]
    node_ip = IPv4Address("192.168.1.21")
    return compose(parse(text), announced, node_ip=node_ip, labels=labels or {}, bfd=None)


def test_the_article_s_configuration() -> None:
    config = bgp(ARTICLE, "172.16.10.0")

    assert config.asn == 64512
    assert config.neighbors == (Neighbor(IPv4Address("192.168.1.1"), 64512, keepalive=30, hold=90),)
    assert config.advertisements == (Advertisement(IPv4Network("172.16.10.0/32")),)


def test_an_address_outside_all_bgp_pools_is_not_announced() -> None:
    assert bgp(EVERYTHING, "172.16.11.0", "10.9.9.1").advertisements == ()


def test_a_pool_is_announced_in_each_of_its_manners() -> None:
    assert bgp(EVERYTHING, "172.16.10.5", "172.16.10.6").advertisements == (
        Advertisement(IPv4Network("172.16.10.0/24"), local_preference=50),
        Advertisement(
            IPv4Network("172.16.10.5/32"), communities=frozenset({"64512:100", "64512:7"})
        ),
        Advertisement(
            IPv4Network("172.16.10.6/32"), communities=frozenset({"64512:100", "64512:7"})
        ),
    )


def test_peers_are_chosen_by_the_labels_of_the_node() -> None:
    assert [n.address for n in bgp(EVERYTHING).neighbors] == [IPv4Address("192.168.1.1")]
    by_label = bgp(EVERYTHING, labels={"rack": "a"})
    by_name = bgp(EVERYTHING, labels={"kubernetes.io/hostname": "k8s-worker2"})
    assert len(by_label.neighbors) == len(by_name.neighbors) == 2


def test_fields_of_peers() -> None:
    config = bgp(EVERYTHING, labels={"rack": "a"})
    first, second = config.neighbors

    assert (first.hold, first.keepalive, first.password) == (9, 3, "secret")
    assert (second.asn, second.port, second.local_asn) == (64999, 1179, 64600)
    assert config.router_id == IPv4Address("10.1.1.1")


def test_no_peers_no_bgp() -> None:
    assert bgp("address-pools: []").neighbors == ()


def test_an_empty_map_has_no_settings() -> None:
    assert parse("") == Settings()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("peers: [{peer-asn: 1, my-asn: 1}]", "peer 1: peer-address is missing"),
        (
            "peers: [{peer-address: x, peer-asn: 1, my-asn: 1}]",
            "peer 1: 'x' does not appear to be an IPv4",
        ),
        (
            "peers: [{peer-address: 10.0.0.1, peer-asn: 1, my-asn: 1, hold-time: 2s}]",
            "peer 1: hold-time 2s is neither 0 nor at least 3s",
        ),
        (
            "peers: [{peer-address: 10.0.0.1, peer-asn: 1, my-asn: 1, hold-time: soon}]",
            "peer 1: 'soon' is no duration such as 90s",
        ),
        (
            "address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.0/24],"
            " bgp-advertisements: [{communities: [nobody]}]}]",
            "address pool 1: 'nobody' is no community (n:n) nor the name of one",
        ),
        ("peers: [", "config.yaml is not YAML"),
    ],
)
def test_mistakes(text: str, complaint: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(text)
    assert complaint in str(caught.value)


def test_all_mistakes_are_reported_together() -> None:
    with pytest.raises(Refused) as caught:
        parse("peers: [{}, {}]\naddress-pools: [{name: a}]")
    assert len(str(caught.value).splitlines()) == 4


def test_the_default_manner_is_the_address_itself() -> None:
    assert parse(ARTICLE).manners(IPv4Address("172.16.10.9")) == (Manner(),)
