"""The article's network, name by name and address by address."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network

import pytest

from lab.topology import load, resolve
from lab.topology.plan import NodeKind, Plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    return resolve(load("basic"))


def legs(plan: Plan, node: str) -> dict[str, tuple[str, str]]:
    return {i.name: (str(i.address), i.network) for i in plan.node(node).interfaces}


def test_router_has_the_articles_interface_and_three_networks(plan: Plan) -> None:
    assert legs(plan, "bgp-router1") == {
        "enp7s0": ("192.168.1.1/24", "nodes"),
        "enp1s0": ("192.168.10.1/24", "lan"),
        "enp8s0": ("203.0.113.1/24", "external"),
    }
    assert plan.node("bgp-router1").default_route is None


def test_control_is_in_the_nodes_network_and_in_the_management_network(plan: Plan) -> None:
    assert legs(plan, "k8s-control") == {
        "eth0": ("192.168.1.5/24", "nodes"),
        "eth1": ("192.168.10.233/24", "lan"),
    }
    assert plan.node("k8s-control").default_route == IPv4Address("192.168.1.1")


@pytest.mark.parametrize(
    ("node", "address", "gateway"),
    [
        ("client1", "192.168.10.11", "192.168.10.1"),
        ("client3", "192.168.10.13", "192.168.10.1"),
        ("external1", "203.0.113.10", "203.0.113.1"),
        ("k8s-master1", "192.168.1.10", "192.168.1.1"),
        ("k8s-worker1", "192.168.1.21", "192.168.1.1"),
        ("k8s-worker5", "192.168.1.25", "192.168.1.1"),
    ],
)
def test_single_homed_nodes(plan: Plan, node: str, address: str, gateway: str) -> None:
    assert list(legs(plan, node)) == ["eth0"]
    assert plan.node(node).address == IPv4Address(address)
    assert plan.node(node).default_route == IPv4Address(gateway)


def test_every_kubernetes_node_has_its_pod_network_and_router_address(plan: Plan) -> None:
    pods = {node.name: (str(node.pod_cidr), str(node.router_ip)) for node in plan.kube_nodes}
    assert pods["k8s-master1"] == ("10.0.0.0/24", "10.0.0.1")
    assert pods["k8s-worker3"] == ("10.0.3.0/24", "10.0.3.1")
    assert len(set(pods.values())) == 6


def test_only_routers_and_kubernetes_nodes_run_frr_and_no_bfd_unless_asked(plan: Plan) -> None:
    daemons = {node.kind: node.daemons for node in plan.nodes}
    assert daemons[NodeKind.ROUTER] == daemons[NodeKind.WORKER] == ("zebra", "bgpd")
    assert daemons[NodeKind.HOST] == daemons[NodeKind.CONTROL] == ()
    with_bfd = resolve(load("basic", bfd="3x50"))
    assert with_bfd.node("k8s-worker1").daemons == ("zebra", "bgpd", "bfdd")
    assert with_bfd.cluster is not None
    assert with_bfd.cluster.options == {"bfd": "3x50"}


def test_cluster(plan: Plan) -> None:
    cluster = plan.cluster
    assert cluster is not None
    assert (cluster.api_address, cluster.api_port) == (IPv4Address("192.168.1.10"), 6443)
    assert cluster.router == IPv4Address("192.168.1.1")
    assert (cluster.asn, cluster.profile) == (64512, "cilium-1.10")
    assert cluster.vip_pool == IPv4Network("172.16.10.0/24")


def test_the_datapaths_options_are_handed_on_as_text() -> None:
    cluster = resolve(load("basic", profile="modern", mode="dsr", maglev_size=251)).cluster
    assert cluster is not None
    assert cluster.profile == "modern"
    assert cluster.options == {"mode": "dsr", "maglev_size": "251"}


def test_nodes_share_the_routers_as_unless_they_have_their_own(plan: Plan) -> None:
    assert {node.asn for node in (*plan.kube_nodes, plan.node("bgp-router1"))} == {64512}
    assert plan.node("client1").asn is None
    ebgp = resolve(load("basic", node_asn=64601))
    assert [node.asn for node in ebgp.kube_nodes] == list(range(64601, 64607))
    assert ebgp.node("bgp-router1").asn == 64512


def test_macs_carry_the_address_and_differ(plan: Plan) -> None:
    macs = [leg.mac for node in plan.nodes for leg in node.interfaces]
    assert plan.node("k8s-worker1").interfaces[0].mac == "02:00:c0:a8:01:15"
    assert len(set(macs)) == len(macs)


def test_both_families_have_addresses_that_read_alike() -> None:
    plan = resolve(load("dual_stack"))
    worker = plan.node("k8s-worker5")
    assert str(worker.interfaces[0].address6) == "2001:db8:1::25/64"
    assert str(worker.default_route6) == "2001:db8:1::1"
    assert str(plan.node("k8s-control").interfaces[1].address6) == "2001:db8:10::233/64"
    assert plan.node("bgp-router1").default_route6 is None
    assert plan.cluster is not None
    assert str(plan.cluster.vip_pool6) == "2001:db8:172::/112"
    assert str(plan.cluster.router6) == "2001:db8:1::1"
    assert str(worker.pod_cidr6) == "fd00:10:0:5::/64"
    assert str(worker.router_ip6) == "fd00:10:0:5::1"
    assert resolve(load("basic")).node("k8s-worker5").pod_cidr6 is None
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_twenty_workers_are_a_parameter() -> None:
    plan = resolve(load("basic", workers=20))
    assert plan.node("k8s-worker20").address == IPv4Address("192.168.1.40")
    assert plan.node("k8s-worker20").pod_cidr == IPv4Network("10.0.20.0/24")


def test_a_plan_survives_json(plan: Plan) -> None:
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
