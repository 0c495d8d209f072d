"""Every mistake in a topology is told, all of them at once, in words that lead to it."""

from __future__ import annotations

import pytest

from lab.errors import InputError, TopologyError
from lab.topology import (
    Topology,
    cluster,
    host,
    link,
    links,
    many,
    master,
    network,
    resolve,
    router,
    worker,
)
from lab.topology.check import problems
from lab.topology.model import Part

LAN = network("lan", "10.1.0.0/24")
PAIR: list[Part] = [
    LAN,
    host("a"),
    host("b"),
    link("a", "lan", "10.1.0.1"),
    link("b", "lan", "10.1.0.2"),
]
KUBE: list[Part] = [
    network("nodes", "10.2.0.0/24"),
    router("r"),
    link("r", "nodes", "10.2.0.1"),
    master("m"),
    link("m", "nodes", "10.2.0.10"),
]
SIX = network("six", "10.5.0.0/24", subnet6="2001:db8::/64")


def found(*parts: Part | list[Part]) -> list[str]:
    return problems(Topology("t", *parts))


def test_good_ones_have_none() -> None:
    assert found(*PAIR) == []
    assert found(*KUBE, cluster()) == []


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        (
            [*PAIR, host("c"), link("c", "lan", "10.1.0.2")],
            "link c - lan: address 10.1.0.2 is already that of link b - lan",
        ),
        ([*PAIR, host("a")], "node 'a' is defined 2 times"),
        ([*PAIR, network("lan", "10.9.0.0/24")], "network 'lan' is defined 2 times"),
        ([*PAIR, link("c", "lan", "10.1.0.3")], "link c - lan: unknown node 'c'"),
        (
            [*PAIR, link("a", "wan", "10.1.0.3")],
            "link a - wan: unknown network 'wan'; there are lan",
        ),
        (
            [*PAIR, link("a:k8s-master1-eth0", "lan", "10.1.0.3")],
            "link a:k8s-master1-eth0 - lan: interface name 'k8s-master1-eth0' has 16 characters, "
            "the kernel takes 15",
        ),
        (
            [*PAIR, link("a:eth7", "lan", "10.1.0.3"), link("a:eth7", "lan", "10.1.0.4")],
            "interface 'a:eth7' is defined 2 times",
        ),
        (
            [*PAIR, link("a:lo", "lan", "10.1.0.3")],
            "link a:lo - lan: 'lo' cannot be the name of an interface",
        ),
        (
            [*PAIR, network("lan2", "10.1.0.128/25")],
            "network 'lan2': subnet 10.1.0.128/25 overlaps 10.1.0.0/24 of network 'lan'",
        ),
        (
            [*KUBE, cluster(vip_pool="10.2.0.0/16")],
            "cluster vip_pool: subnet 10.2.0.0/16 overlaps 10.2.0.0/24 of network 'nodes'",
        ),
        (
            [*PAIR, link("a", "lan", "10.7.0.3")],
            "link a - lan: address 10.7.0.3 is outside 10.1.0.0/24",
        ),
        (
            [*PAIR, link("a", "lan", "10.1.0.255")],
            "link a - lan: address 10.1.0.255 is the network or broadcast address of 10.1.0.0/24",
        ),
        ([*PAIR, link("a", "lan", "10.1.0")], "link a - lan: '10.1.0' is no IPv4 address"),
        (
            [*PAIR, network("x", "10.5.0.1/24")],
            "network 'x': '10.5.0.1/24' is no IPv4 subnet in CIDR form, such as 192.168.1.0/24",
        ),
        ([*PAIR, host("c")], "node 'c' has no link"),
        (
            [*PAIR, host("c", gatway="10.1.0.1"), link("c", "lan", "10.1.0.3")],
            "node 'c': unknown option 'gatway'; did you mean gateway? There are gateway",
        ),
        (
            [*PAIR, network("x", "10.5.0.0/24", gateway="10.5.0.1")],
            "network 'x': no node has the gateway's address 10.5.0.1",
        ),
        (
            [*PAIR, network("x", "10.5.0.0/24", gateway="first")],
            "network 'x': gateway 'first' is no IPv4 address",
        ),
        (
            [
                *PAIR,
                *KUBE,
                cluster(),
                host("c", gateway="10.1.0.1"),
                link("c", "nodes", "10.2.0.9"),
            ],
            "node 'c': gateway 10.1.0.1 is not on any of its links",
        ),
        (
            [*PAIR, link("a", "lan", "10.1.0.9", mac="03:00:00:00:00:01")],
            "link a - lan: mac '03:00:00:00:00:01' is no unicast address such as 02:00:00:00:00:01",
        ),
        (
            [
                *PAIR,
                link("a", "lan", "10.1.0.8", mac="02:00:00:00:00:0a"),
                link("b", "lan", "10.1.0.9", mac="02:00:00:00:00:0A"),
            ],
            "mac '02:00:00:00:00:0a' is defined 2 times",
        ),
        (
            [*KUBE, cluster(profile="cilium")],
            "cluster: profile 'cilium' is unknown; there are cilium-1.10, modern",
        ),
        ([*KUBE, cluster(asn=0)], "cluster: asn 0 is no AS number (1 to 4294967295, RFC 6793)"),
        (
            [*KUBE, cluster(node_asn="a")],
            "cluster: node_asn 'a' is no AS number (1 to 4294967295, RFC 6793)",
        ),
        (
            [*KUBE, cluster(bgp_password="two words")],
            "cluster: bgp_password has a character that FRR cannot read: no spaces",
        ),
        (
            [
                *KUBE,
                worker("w"),
                link("w", "nodes", "10.2.0.11"),
                cluster(cluster_cidr="10.0.0.0/24"),
            ],
            "cluster: 10.0.0.0/24 has no /24 for each of 2 nodes",
        ),
        (
            [*KUBE, cluster(cluster_cidr="10.0.0.0/25")],
            "cluster: 10.0.0.0/25 is smaller than the /24 of a node",
        ),
        (
            [*PAIR, network("x", "10.5.0.0/24", subnet6="2001:db8::/100")],
            "network 'x': subnet6 '2001:db8::/100' is no IPv6 subnet such as 2001:db8:1::/64",
        ),
        (
            [
                *PAIR,
                network("x", "10.5.0.0/24", subnet6="2001:db8::/32"),
                network("y", "10.6.0.0/24", subnet6="2001:db8:1::/64"),
            ],
            "network 'y': subnet6 2001:db8:1::/64 overlaps 2001:db8::/32 of network 'x'",
        ),
        (
            [*KUBE, cluster(vip_pool6="2001:db8:172::/112")],
            "cluster: vip_pool6 needs subnet6 on the nodes' network",
        ),
        (
            [
                *KUBE,
                network("x", "10.5.0.0/24", subnet6="2001:db8::/64"),
                cluster(vip_pool6="1::1"),
            ],
            "cluster: vip_pool6 '1::1' is no IPv6 subnet such as 2001:db8:172::/112",
        ),
        (
            [*KUBE, SIX, cluster(vip_pool6="2001:db8:172::/112", cluster_cidr6="fd00::/65")],
            "cluster: fd00::/65 has no /64 for each of 1 nodes",
        ),
        (
            [*KUBE, SIX, cluster(vip_pool6="2001:db8:172::/112", service_cidr6="10.96.0.0/12")],
            "cluster: service_cidr6 '10.96.0.0/12' is no IPv6 subnet such as fd00:96::/112",
        ),
        (
            [*KUBE, cluster(mode="dnat")],
            "cluster: mode 'dnat' is unknown; there are snat, dsr, hybrid",
        ),
        (
            [*KUBE, cluster(maglev_size=16382)],
            "cluster: maglev_size 16382 is no prime between 251 and 131071",
        ),
        (
            [*KUBE, cluster(ttl_security=1)],
            "cluster: ttl_security is for eBGP: give the nodes AS numbers with node_asn",
        ),
        (
            [*KUBE, cluster(ttl_security=300, node_asn=64601)],
            "cluster: ttl_security 300 is no number from 1 to 254",
        ),
        (
            [*KUBE, cluster(maximum_prefixes="many")],
            "cluster: maximum_prefixes 'many' is no number from 1 to 4294967295",
        ),
        (
            [*KUBE, cluster(bfd="fast")],
            "cluster: bfd 'fast' is not of the form 3x50 (packets missed x milliseconds)",
        ),
        (
            [*KUBE, cluster(node_ports=(40000, 30000))],
            "cluster: node_ports (40000, 30000) is no range of ports, such as (30000, 32767)",
        ),
        ([*KUBE], "there are masters or workers and no cluster(): add one"),
        ([*KUBE, cluster(), cluster()], "2 clusters: there can be one"),
        ([*PAIR, cluster()], "a cluster has one master, here are 0"),
        (
            [*PAIR, *KUBE, worker("w"), link("w", "lan", "10.1.0.9"), cluster()],
            "the nodes of a cluster share one network, here are lan, nodes",
        ),
        (
            [*KUBE, router("r2"), link("r2", "nodes", "10.2.0.2"), cluster()],
            "network 'nodes' has one router for BGP, here are r, r2",
        ),
        ([network("lan", "10.5.0.0/24")], "there is no node"),
        (
            [*PAIR, network("a-long-network", "10.5.0.0/24")],
            "network 'a-long-network': name has more than 11 characters",
        ),
        (
            [*PAIR, host("no_good"), link("no_good", "lan", "10.1.0.9")],
            "'no_good' is no host name: letters, digits and inner hyphens only",
        ),
        (
            [network("a", "10.5.0.0/24"), *PAIR],
            "'a' is both a network and a node: give one of them another name",
        ),
    ],
)
def test_one_mistake_one_sentence(parts: list[Part], wanted: str) -> None:
    assert found(*parts) == [wanted]


def test_all_mistakes_come_in_one_error() -> None:
    broken = Topology(
        "broken",
        network("lan", "10.1.0.0/24"),
        network("wan", "10.1.0.0/16"),
        host("a", color="red"),
        link("a:an-interface-name", "lan", "10.1.0.1"),
        host("b"),
        link("b", "lan", "10.1.0.1"),
        link("c", "lan", "10.1.0.2"),
    )
    with pytest.raises(TopologyError) as caught:
        resolve(broken)
    assert isinstance(caught.value, InputError)
    assert str(caught.value).splitlines() == [
        "topology 'broken': 5 problems, nothing was started",
        "  network 'wan': subnet 10.1.0.0/16 overlaps 10.1.0.0/24 of network 'lan'",
        "  link c - lan: unknown node 'c'",
        "  link a:an-interface-name - lan: interface name 'an-interface-name' has 17 characters, "
        "the kernel takes 15",
        "  link b - lan: address 10.1.0.1 is already that of link a:an-interface-name - lan",
        "  node 'a': unknown option 'color'; there are gateway",
    ]


def test_interfaces_without_a_name_take_the_free_ones() -> None:
    parts: list[Part] = [
        LAN,
        host("a"),
        link("a", "lan", "10.1.0.1"),
        link("a:eth1", "lan", "10.1.0.2"),
        link("a", "lan", "10.1.0.3"),
    ]
    plan = resolve(Topology("t", *parts))
    assert [leg.name for leg in plan.node("a").interfaces] == ["eth0", "eth1", "eth2"]


def test_a_nodes_own_gateway_goes_over_its_networks() -> None:
    parts: list[Part] = [
        network("lan", "10.1.0.0/24", gateway="10.1.0.1"),
        router("r"),
        link("r", "lan", "10.1.0.1"),
        router("s"),
        link("s", "lan", "10.1.0.2"),
        *(hosts := many(host, "h{}", 2, gateway="10.1.0.2")),
        *links(hosts, "lan", "10.1.0.11"),
    ]
    plan = resolve(Topology("t", *parts))
    routes = {node.name: str(node.default_route) for node in plan.nodes}
    assert routes == {"r": "None", "s": "10.1.0.1", "h1": "10.1.0.2", "h2": "10.1.0.2"}
