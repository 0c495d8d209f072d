"""What the cilium command prints of IPv6."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

from lab.agent.cilium import balancer, flows, places, status
from lab.agent.cilium.columns import columns
from lab.agent.places import endpoints
from lab.agent.services.families import FAMILIES
from lab.agent.services.table import Table
from lab.agent.services.translate import balance
from lab.bpf import structs
from lab.bpf.layout import addr6
from tests.unit.agent.dual import BOTH, LOCAL, NODE6, NODES, OLD, dual_service, slices


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
