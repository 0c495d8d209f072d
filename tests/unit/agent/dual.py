"""A service, nodes and a pod with both address families."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from lightkube.models.core_v1 import LoadBalancerIngress, LoadBalancerStatus
from lightkube.resources.core_v1 import Node
from lightkube.resources.discovery_v1 import EndpointSlice

from lab.agent.places import node_places
from lab.agent.pods.local import LocalPod, PodLink
from lab.agent.profile import profile
from lab.agent.services.translate import Place
from tests.unit.agent.objects import endpoint, endpoint_slice, node, service

OLD = profile("cilium-1.10", {})
NODE6 = IPv6Address("2001:db8:1::21")
BOTH = Place("k8s-worker1", (IPv4Address("192.168.1.21"), NODE6), OLD)
CLUSTER_IPS = ["10.106.236.120", "fd00:96::78"]
VIP6 = "2001:db8:172::"


def dual_service(vip6: str | None = VIP6, **spec: Any) -> Any:
    made = service(clusterIPs=CLUSTER_IPS, ipFamilies=["IPv4", "IPv6"], **spec)
    assert made.status is not None
    if vip6:
        ingress = [LoadBalancerIngress(ip=each) for each in ("172.16.10.0", vip6)]
        made.status.loadBalancer = LoadBalancerStatus(ingress=ingress)
    return made


def slices(*six: dict[str, Any]) -> list[EndpointSlice]:
    of_six = endpoint_slice(*(six or (endpoint("fd00:10:0:1::7"),)))
    of_six.addressType = "IPv6"
    return [endpoint_slice(endpoint("10.0.1.7")), of_six]


def dual_node(name: str, number: int) -> Node:
    made = node(name, f"192.168.1.{number}", f"10.0.{number - 20}.0/24")
    assert made.spec is not None
    assert made.status is not None
    assert made.status.addresses is not None
    made.spec.podCIDRs = [f"10.0.{number - 20}.0/24", f"fd00:10:0:{number - 20}::/64"]
    six = type(made.status.addresses[0])(type="InternalIP", address=f"2001:db8:1::{number}")
    made.status.addresses.append(six)
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
