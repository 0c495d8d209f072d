"""The second address family: the same entries, announcements and texts, with longer addresses."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest
from lightkube.models.core_v1 import PodIP
from lightkube.resources.core_v1 import Pod

from lab.agent.bgp import metallb
from lab.agent.bgp.announce import announced
from lab.agent.bgp.metallb_config import parse
from lab.agent.flows.lookup import Directory
from lab.agent.places import NodePlace, endpoints, ipcache, routes
from lab.agent.profile import profile
from lab.agent.services.families import FAMILIES
from lab.agent.services.model import Address, Balanced
from lab.agent.services.table import Table
from lab.agent.services.translate import Place, balance
from lab.bpf import structs
from lab.frr.node import node_tree
from lab.frr.tree import text
from tests.unit.agent.dual import (
    BOTH,
    CLUSTER_IPS,
    LOCAL,
    NODE6,
    NODES,
    OLD,
    VIP6,
    dual_node,
    dual_service,
    slices,
)
from tests.unit.agent.objects import endpoint, pod

NEW = profile("modern", {"maglev_size": "251"})
SERVED: tuple[Address, ...] = (IPv4Address("172.16.10.0"), IPv6Address(VIP6))


def frontends(balanced: tuple[Balanced, ...]) -> list[tuple[str, str, list[str]]]:
    return [
        (each.slot.kind.value, str(each.frontend.address), [str(b.address) for b in each.active])
        for each in balanced
        if each.frontend is not None
    ]


def test_every_frontend_has_backends_of_its_own_family() -> None:
    assert frontends(balance(dual_service(), slices(), BOTH)) == [
        ("ClusterIP", "10.106.236.120", ["10.0.1.7"]),
        ("ClusterIP", "fd00:96::78", ["fd00:10:0:1::7"]),
        ("NodePort", "0.0.0.0", ["10.0.1.7"]),
        ("NodePort", "192.168.1.21", ["10.0.1.7"]),
        ("NodePort", "::", ["fd00:10:0:1::7"]),
        ("NodePort", "2001:db8:1::21", ["fd00:10:0:1::7"]),
        ("LoadBalancer", "172.16.10.0", ["10.0.1.7"]),
        ("LoadBalancer", "2001:db8:172::", ["fd00:10:0:1::7"]),
    ]


def test_a_node_without_ipv6_leaves_the_other_half_alone() -> None:
    plain = Place("k8s-worker1", (IPv4Address("192.168.1.21"),), OLD)
    found = frontends(balance(dual_service(), slices(), plain))
    assert {IPv4Address(address).version for _, address, _ in found} == {4}


def test_an_ipv6_address_that_comes_late_has_its_slot_already() -> None:
    early = balance(dual_service(vip6=None), [], BOTH)
    late = balance(dual_service(), [], BOTH)
    assert [each.slot for each in early] == [each.slot for each in late]
    assert early[-1].frontend is None


@pytest.mark.parametrize("chosen", [OLD, NEW])
def test_the_maps_of_both_families_and_back(chosen: Any) -> None:
    """What an agent writes, a later one reads as the same, under the same numbers."""
    place = Place("k8s-worker1", BOTH.addresses, chosen)
    ranges = ["192.168.10.0/24", "2001:db8:10::/64"]
    wanted = balance(dual_service(loadBalancerSourceRanges=ranges), slices(), place)
    operations = Table(chosen, {}).update({"default/web1-lb": wanted})
    plain = {t.name for family in FAMILIES.values() for t in family.plain}
    held = {(op.map, op.key): op.value or b"" for op in operations if op.map in plain}
    by_map = {name: sum(1 for map_name, _ in held if map_name == name) for name in plain}
    four = [by_map[table.name] for table in FAMILIES[4].plain]
    assert [by_map[table.name] for table in FAMILIES[6].plain] == four
    assert four[-1] == 1, "of the source ranges, each family has its own"

    again = Table(chosen, held).update({"default/web1-lb": wanted}, complete=True)
    assert [op for op in again if op.map in plain] == []


def dual_pod(name: str, number: int, host: int) -> Pod:
    four, six = f"10.0.{host - 20}.{number}", f"fd00:10:0:{host - 20}::{number}"
    made = pod(name, four, f"192.168.1.{host}", svc="web1")
    assert made.status is not None
    made.status.podIPs = [PodIP(ip=four), PodIP(ip=six)]
    return made


def test_places_have_an_address_and_a_pod_network_of_each_family() -> None:
    assert NODES[0] == NodePlace(
        "k8s-worker1",
        IPv4Address("192.168.1.21"),
        IPv4Network("10.0.1.0/24"),
        NODE6,
        IPv6Network("fd00:10:0:1::/64"),
    )
    assert [str(each) for each in NODES[0].routers] == ["10.0.1.1", "fd00:10:0:1::1"]


def test_without_a_tunnel_each_family_has_a_route_to_the_others_pods() -> None:
    assert {str(network): str(via) for network, via in routes(NODES[0], NODES).items()} == {
        "10.0.2.0/24": "192.168.1.22",
        "fd00:10:0:2::/64": str(NODES[1].address6),
    }


def test_ipcache_tunnels_ipv6_to_ipv4_addresses() -> None:
    pods = [dual_pod("web1-a", 7, 21), dual_pod("web1-b", 9, 22)]
    found = {}
    for raw, value in ipcache("k8s-worker1", NODES, pods, tunnel=True).items():
        key, info = structs.ipcache_key.parse(raw), structs.remote_endpoint_info.parse(value)
        if key.family == 2:
            prefix = f"{IPv6Address(bytes(key.ip))}/{key.prefixlen - 32}"
            found[prefix] = (info.sec_label, str(IPv4Address(info.tunnel_endpoint)))
    web = found["fd00:10:0:1::7/128"][0]
    assert found == {
        "::/0": (2, "0.0.0.0"),
        "2001:db8:1::21/128": (1, "0.0.0.0"),
        "fd00:10:0:1::1/128": (1, "0.0.0.0"),
        "fd00:10:0:1::7/128": (web, "0.0.0.0"),
        "2001:db8:1::22/128": (6, "0.0.0.0"),
        "fd00:10:0:2::1/128": (6, "192.168.1.22"),
        "fd00:10:0:2::/64": (2, "192.168.1.22"),
        "fd00:10:0:2::9/128": (web, "192.168.1.22"),
    }


def test_a_pod_is_one_endpoint_at_two_addresses() -> None:
    entries = endpoints(NODES[0], [LOCAL], lambda _: 4711)
    parsed = {structs.endpoint_key.parse(raw): value for raw, value in entries.items()}
    four, six = (structs.endpoint_key.of(each) for each in LOCAL.addresses)
    assert parsed[four] == parsed[six]
    assert len(entries) == 6, "the pod's two, the node's two, the router's two"


def test_the_flow_log_knows_a_pod_by_either_address() -> None:
    directory = Directory()
    directory.set_places("k8s-worker1", NODES, [dual_pod("web1-a", 7, 21)], [LOCAL])
    directory.set_services([dual_service()])
    four, six = (directory.endpoint(each.packed) for each in LOCAL.addresses)
    assert six is not None
    assert (six.pod, six.id, six) == ("web1-a", 0x0107, four)
    for address in (VIP6, CLUSTER_IPS[1]):
        named = directory.service(IPv6Address(address).packed, 80)
        assert named is not None
        assert named.name == "web1-lb"


@pytest.mark.parametrize(
    ("six", "policy", "expected"),
    [
        (endpoint("fd00:10:0:1::7"), "Cluster", ["172.16.10.0", VIP6]),
        (endpoint("fd00:10:0:2::9", node="k8s-worker2"), "Local", ["172.16.10.0"]),
        (endpoint("fd00:10:0:1::7", ready=False), "Cluster", ["172.16.10.0"]),
    ],
)
def test_each_address_follows_the_endpoints_of_its_family(
    six: dict[str, Any], policy: str, expected: list[str]
) -> None:
    web = dual_service(externalTrafficPolicy=policy)
    found = announced(
        [web], {"default/web1-lb": slices(six)}, dual_node("k8s-worker1", 21), OLD, SERVED
    )
    assert [str(each.address) for each in found] == expected


CONFIG = """
peers:
- {peer-address: 192.168.1.1, peer-asn: 64512, my-asn: 64512}
- {peer-address: '2001:db8:1::1', peer-asn: 64512, my-asn: 64512}
address-pools:
- name: default
  protocol: bgp
  addresses: [172.16.10.0/24, '2001:db8:172::/112']
"""


def test_a_session_carries_the_routes_of_its_own_family() -> None:
    found = announced(
        [dual_service()], {"default/web1-lb": slices()}, dual_node("k8s-worker1", 21), OLD, SERVED
    )
    config = metallb.compose(
        parse(CONFIG), found, node_ip=IPv4Address("192.168.1.21"), labels={}, bfd=None
    )
    assert [each.families for each in config.neighbors] == [(4,), (6,)]
    written = text(node_tree(config))
    four, _, six = written.partition("address-family ipv6 unicast")
    assert "network 172.16.10.0/32" in four
    assert "network 2001:db8:172::/128" in six
    assert "neighbor 192.168.1.1 activate" in four
    assert "neighbor 2001:db8:1::1 activate" in six
    assert "match " not in written, "nobody has to be kept from hearing anything"
