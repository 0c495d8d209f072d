"""The second address family: the same entries, announcements and texts, with longer addresses."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest
from lightkube.models.core_v1 import LoadBalancerIngress, LoadBalancerStatus, PodIP
from lightkube.resources.core_v1 import Node, Pod
from lightkube.resources.discovery_v1 import EndpointSlice

from lab.agent.bgp import metallb
from lab.agent.bgp.announce import announced
from lab.agent.bgp.metallb_config import parse
from lab.agent.cilium import balancer, flows, places, status
from lab.agent.cilium.columns import columns
from lab.agent.flows.lookup import Directory
from lab.agent.places import NodePlace, endpoints, ipcache, node_places, routes
from lab.agent.pods.local import LocalPod, PodLink
from lab.agent.profile import profile
from lab.agent.services.families import FAMILIES
from lab.agent.services.model import Address, Balanced
from lab.agent.services.table import Table
from lab.agent.services.translate import Place, balance
from lab.bpf import structs
from lab.bpf.layout import addr6
from lab.frr.node import node_tree
from lab.frr.tree import text
from tests.unit.agent.objects import endpoint, endpoint_slice, node, pod, service

OLD = profile("cilium-1.10", {})
NEW = profile("modern", {"maglev_size": "251"})
NODE6 = IPv6Address("2001:db8:1::21")
BOTH = Place("k8s-worker1", (IPv4Address("192.168.1.21"), NODE6), OLD)
CLUSTER_IPS = ["10.106.236.120", "fd00:96::78"]
VIP6 = "2001:db8:172::"
FAMILY_NAMES = ["IPv4", "IPv6"]
SERVED: tuple[Address, ...] = (IPv4Address("172.16.10.0"), IPv6Address(VIP6))


def dual_service(vip6: str | None = VIP6, **spec: Any) -> Any:
    made = service(clusterIPs=CLUSTER_IPS, ipFamilies=FAMILY_NAMES, **spec)
    assert made.status is not None
    if vip6:
        ingress = [LoadBalancerIngress(ip=each) for each in ("172.16.10.0", vip6)]
        made.status.loadBalancer = LoadBalancerStatus(ingress=ingress)
    return made


def slices(*six: dict[str, Any]) -> list[EndpointSlice]:
    of_six = endpoint_slice(*(six or (endpoint("fd00:10:0:1::7"),)))
    of_six.addressType = "IPv6"
    return [endpoint_slice(endpoint("10.0.1.7")), of_six]


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


def dual_node(name: str, number: int) -> Node:
    made = node(name, f"192.168.1.{number}", f"10.0.{number - 20}.0/24")
    assert made.spec is not None
    assert made.status is not None
    assert made.status.addresses is not None
    made.spec.podCIDRs = [f"10.0.{number - 20}.0/24", f"fd00:10:0:{number - 20}::/64"]
    six = type(made.status.addresses[0])(type="InternalIP", address=f"2001:db8:1::{number}")
    made.status.addresses.append(six)
    return made


def dual_pod(name: str, number: int, host: int) -> Pod:
    four, six = f"10.0.{host - 20}.{number}", f"fd00:10:0:{host - 20}::{number}"
    made = pod(name, four, f"192.168.1.{host}", svc="web1")
    assert made.status is not None
    made.status.podIPs = [PodIP(ip=four), PodIP(ip=six)]
    return made


NODES = node_places([dual_node("k8s-worker1", 21), dual_node("k8s-worker2", 22)])
LOCAL = LocalPod(
    "web1-a",
    "default",
    "web1-a",
    IPv4Address("10.0.1.7"),
    PodLink("lxc1", 42, "02:00:00:00:00:07", "02:00:00:00:01:07"),
    IPv6Address("fd00:10:0:1::7"),
)


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


def listed() -> list[balancer.Listed]:
    operations = Table(OLD, {}).update({"default/web1-lb": balance(dual_service(), slices(), BOTH)})
    held = {(op.map, op.key): op.value or b"" for op in operations}
    six = FAMILIES[6]
    services = {
        six.services.key.parse(key): structs.lb4_service.parse(value)
        for (name, key), value in held.items()
        if name == six.services.name
    }
    backends = {
        int.from_bytes(key, "little"): six.backends.value.parse(value)
        for (name, key), value in held.items()
        if name == six.backends.name
    }
    return balancer.listing(services, backends)


def test_lists_write_ipv6_addresses_in_brackets() -> None:
    lines = columns(balancer.bpf_lb_list(listed(), modern=False))
    at = lines.index("[2001:db8:172::]:80      [::]:0 (8) [LoadBalancer]")
    assert lines[at + 1].split() == ["[fd00:10:0:1::7]:80", "(8)"]
    numbered = balancer.services(listed(), modern=True)
    modern = columns(balancer.service_list(numbered, modern=True))
    assert modern[-1].split() == [
        "8", "[2001:db8:172::]:80/TCP", "LoadBalancer", "1", "=>", "[fd00:10:0:1::7]:80/TCP",
        "(active)",
    ]  # fmt: skip


def test_connections_and_places_in_brackets() -> None:
    client, backend = IPv6Address("2001:db8:10::11"), IPv6Address("fd00:10:0:1::7")
    key = structs.ipv6_ct_tuple(
        daddr=addr6(*client.packed), saddr=addr6(*backend.packed), dport=80, sport=40000, nexthdr=6
    )
    (line,) = flows.ct_list([(key, structs.ct_entry())])
    assert line.startswith("TCP OUT [2001:db8:10::11]:40000 -> [fd00:10:0:1::7]:80 ")
    entries = endpoints(NODES[0], [LOCAL], lambda _: 4711).items()
    parse = structs.endpoint_key.parse
    pairs = [(parse(raw), structs.endpoint_info.parse(value)) for raw, value in entries]
    shown = columns(places.endpoint_list(pairs))
    assert shown[-1].startswith("[fd00:10:0:1::7]:0")
    assert [line.partition(" ")[0] for line in shown[1:4]] == [
        "10.0.1.1:0", "10.0.1.7:0", "192.168.1.21:0",
    ]  # fmt: skip


def test_status_tells_of_both_pools() -> None:
    side = {"node_ip": str(NODE6), "pod_cidr": "fd00:10:0:1::/64", "cluster_cidr": "fd00:10::/48"}
    said: dict[str, Any] = {
        "config": {
            "uplink": "eth0", "node_ip": "192.168.1.21", "profile": "cilium-1.10",
            "pod_cidr": "10.0.1.0/24", "cluster_cidr": "10.0.0.0/16", "ipv6": side,
        },
        "kubernetes": {"ok": True, "version": "v1.32.4"},
        "ipam": {"used": 2, "size": 254},
        "hubble": {"flows": 10, "capacity": 4095, "rate": 1.5},
        "nodes": [], "services": 2, "balancing": {"tcx": True},
        "endpoints": [
            {"id": 258, "identity": 300, "labels": ["k8s:a=b"], "address": "10.0.1.2",
             "address6": "fd00:10:0:1::2", "namespace": "default", "name": "web1"},
        ],
    }  # fmt: skip
    lines = status.status(said, verbose=False)
    assert "KubeProxyReplacement:   Strict   [eth0 192.168.1.21 2001:db8:1::21]" in lines
    assert (
        "IPAM:                   IPv4: 2/254 allocated from 10.0.1.0/24, "
        "IPv6: 2/18446744073709551614 allocated from fd00:10:0:1::/64"
    ) in lines
    header, pod = columns(status.endpoint_list(said))
    assert header.split()[-4:-2] == ["IPv6", "IPv4"]
    assert pod.split()[3:5] == ["fd00:10:0:1::2", "10.0.1.2"]
