"""Nodes and pods as entries of ipcache and endpoint maps."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from lightkube.models.meta_v1 import OwnerReference

from lab.agent.flows.lookup import Directory
from lab.agent.identity import labels_of, number_of
from lab.agent.places import (
    Entries,
    NodePlace,
    endpoints,
    ipcache,
    node_places,
    route_commands,
    routes,
)
from lab.agent.pods.local import LocalPod, PodLink
from lab.bpf import structs
from lab.bpf.codes import EndpointFlag
from lab.bpf.layout import Address, Network
from lab.hubble.lookup import Workload
from tests.unit.agent.objects import node, pod, service

NODES = node_places(
    [
        node("k8s-worker2", "192.168.1.22", "10.0.2.0/24"),
        node("k8s-worker1", "192.168.1.21", "10.0.1.0/24"),
    ]
)
ME = "k8s-worker1"
MINE = pod("web1-a", "10.0.1.7", "192.168.1.21", svc="web1")
THEIRS = pod("web1-b", "10.0.2.9", "192.168.1.22", svc="web1")
LOCAL = LocalPod(
    "web1-a",
    "default",
    "web1-a",
    IPv4Address("10.0.1.7"),
    PodLink("lxc1", 42, "02:00:00:00:00:07", "02:00:00:00:01:07"),
)


def known(entries: Entries) -> dict[str, tuple[int, str]]:
    """prefix -> (identity, tunnel endpoint)."""
    found = {}
    for raw, value in entries.items():
        key = structs.ipcache_key.parse(raw)
        info = structs.remote_endpoint_info.parse(value)
        prefix = f"{IPv4Address(bytes(key.ip)[:4])}/{key.prefixlen - 32}"
        found[prefix] = (info.sec_label, str(IPv4Address(info.tunnel_endpoint)))
    return found


def test_ipcache_of_a_node_in_a_tunnel_mesh() -> None:
    web = number_of(labels_of(MINE))
    assert known(ipcache(ME, NODES, [MINE, THEIRS], tunnel=True)) == {
        "0.0.0.0/0": (2, "0.0.0.0"),
        "192.168.1.21/32": (1, "0.0.0.0"),
        "10.0.1.1/32": (1, "0.0.0.0"),
        "10.0.1.7/32": (web, "0.0.0.0"),
        "192.168.1.22/32": (6, "0.0.0.0"),
        "10.0.2.1/32": (6, "192.168.1.22"),
        "10.0.2.0/24": (2, "192.168.1.22"),
        "10.0.2.9/32": (web, "192.168.1.22"),
    }


def test_without_a_tunnel_nobody_is_behind_one() -> None:
    entries = known(ipcache(ME, NODES, [MINE, THEIRS], tunnel=False))
    assert {endpoint for _, endpoint in entries.values()} == {"0.0.0.0"}


def test_a_pod_that_ended_is_nowhere() -> None:
    ended = pod("done", "10.0.2.10", "192.168.1.22")
    assert ended.status is not None
    ended.status.phase = "Succeeded"
    assert "10.0.2.10/32" not in known(ipcache(ME, NODES, [ended], tunnel=True))


def test_endpoints_are_the_pods_of_the_node_and_its_own_addresses() -> None:
    found = {}
    for raw, value in endpoints(NODES[0], [LOCAL], lambda _: 4711).items():
        key, info = structs.endpoint_key.parse(raw), structs.endpoint_info.parse(value)
        found[str(IPv4Address(bytes(key.ip)[:4]))] = info
    assert set(found) == {"192.168.1.21", "10.0.1.1", "10.0.1.7"}
    assert found["10.0.1.1"].flags == EndpointFlag.HOST
    web = found["10.0.1.7"]
    assert (web.ifindex, web.lxc_id, web.flags, web.sec_id) == (42, 0x0107, 0, 4711)
    assert bytes(web.mac)[:6].hex() == "020000000007"
    assert bytes(web.node_mac)[:6].hex() == "020000000107"


def test_routes_lead_to_the_pod_networks_of_the_others() -> None:
    assert routes(NODES[0], NODES) == {IPv4Network("10.0.2.0/24"): IPv4Address("192.168.1.22")}


def test_towards_pods_elsewhere_a_node_has_its_own_address() -> None:
    """Its servers answer a pod's datagrams from where the pod sent them."""
    wanted = routes(NODES[0], NODES)
    gone: dict[Network, Address] = {IPv4Network("10.0.9.0/24"): IPv4Address("192.168.1.29")}
    added = "route replace 10.0.2.0/24 via 192.168.1.22 dev eth0"
    assert route_commands(gone, wanted, "eth0") == ["route del 10.0.9.0/24", added]
    assert route_commands(wanted, wanted, "eth0") == []


def test_a_node_without_a_pod_network_is_left_out() -> None:
    bare = node("new", "192.168.1.99", "10.0.9.0/24")
    assert bare.spec is not None
    bare.spec.podCIDR = None
    assert node_places([bare]) == []
    assert NODES[0] == NodePlace(ME, IPv4Address("192.168.1.21"), IPv4Network("10.0.1.0/24"))


def test_pods_of_one_workload_share_an_identity_that_others_do_not_have() -> None:
    assert number_of(labels_of(MINE)) == number_of(labels_of(THEIRS))
    other = pod("x", "10.0.1.8", "192.168.1.21", svc="other")
    assert number_of(labels_of(other)) != number_of(labels_of(MINE))
    assert number_of(labels_of(other)) >= 256


def test_the_flow_log_knows_a_pod_of_this_node_before_the_api_has_its_address() -> None:
    starting = pod("web1-a", "", "192.168.1.21", svc="web1")
    directory = Directory()
    directory.set_places(ME, NODES, [starting], [LOCAL])
    mine = directory.endpoint(LOCAL.address.packed)
    assert mine is not None
    assert (mine.pod, mine.id) == ("web1-a", 0x0107)


def test_the_flow_log_learns_who_is_who() -> None:
    owned = pod("web1-5f-x", "10.0.2.9", "192.168.1.22", **{"pod-template-hash": "5f"})
    assert owned.metadata is not None
    owner = OwnerReference(apiVersion="apps/v1", kind="ReplicaSet", name="web1-5f", uid="1")
    owned.metadata.ownerReferences = [owner]
    directory = Directory()
    directory.set_places(ME, NODES, [MINE, owned], [LOCAL])
    directory.set_services([service()])

    mine = directory.endpoint(IPv4Address("10.0.1.7").packed)
    theirs = directory.endpoint(IPv4Address("10.0.2.9").packed)
    assert mine is not None
    assert theirs is not None
    assert (mine.pod, mine.id, theirs.id) == ("web1-a", 0x0107, 0)
    assert theirs.workloads == (Workload("web1", "Deployment"),)
    router = directory.endpoint(IPv4Address("10.0.2.1").packed)
    assert router is not None
    assert router.labels == ("reserved:remote-node",)
    assert directory.endpoint(IPv4Address("192.168.10.11").packed) is None
    named = directory.service(IPv4Address("172.16.10.0").packed, 80)
    assert named is not None
    assert (named.namespace, named.name) == ("default", "web1-lb")
