"""`on_node NUMBER COUNT POD`, in a node's namespace: programs and services.

A node of a path, not of a lab: no API server, no agent. What an agent computes is computed, and
written, by the agent's own modules. The maps live on with the programs that use them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from socket import if_nametoindex
from typing import Any

from lab import shell
from lab.agent.maps import NodeMaps
from lab.agent.profile import profile
from lab.agent.services.model import Backend, Balanced, Frontend, Kind, Protocol, Settings, Slot
from lab.agent.services.table import Table
from lab.bench.paths.bare_path import POD
from lab.bench.paths.many_services import FIRST, backend, ports
from lab.bench.paths.translated_paths import MACS, REMOTE_POD
from lab.bpf import datapath, structs, tables
from lab.bpf.codes import EndpointFlag, Identity, Profile
from lab.bpf.config import NodeConfig
from lab.bpf.layout import mac
from lab.bpf.maps import Map

PODS = {1: POD, 2: REMOTE_POD}
LABEL = 1000


def config(number: int) -> NodeConfig:
    return NodeConfig(
        node_ip=IPv4Address(f"192.168.1.2{number}"),
        router_ip=IPv4Address(f"10.0.{number}.1"),
        pod_cidr=IPv4Network(f"10.0.{number}.0/24"),
        cluster_cidr=IPv4Network("10.0.0.0/16"),
        profile=Profile.MODERN,
    )


def services(count: int, pod: str) -> Iterator[tuple[str, tuple[Balanced, ...]]]:
    """Services of type LoadBalancer, one backend each, as `Table` wants them."""
    for n in range(count):
        name, address = f"bench/{n}", pod if n == count - 1 else backend(n, count)
        yield (
            name,
            tuple(
                Balanced(
                    Slot(name, str(index), Kind.LOAD_BALANCER),
                    Frontend(FIRST + n, port, Protocol(proto)),
                    Settings(),
                    (Backend(IPv4Address(address), port, Protocol(proto)),),
                )
                for index, (proto, port) in enumerate(ports(n, count))
            ),
        )


def fill(number: int) -> None:
    """Pods and addresses of both nodes."""
    index = if_nametoindex("lxc0")
    here, there = (mac(*bytes.fromhex(text.replace(":", ""))) for text in MACS[number])
    pod = structs.endpoint_info(ifindex=index, lxc_id=1, mac=there, node_mac=here, sec_id=LABEL)
    with Map[Any, Any].pinned(tables.ENDPOINTS) as endpoints:
        endpoints.update(structs.endpoint_key.of(ip_address(PODS[number])), pod)
        for address in (f"192.168.1.2{number}", f"10.0.{number}.1"):
            host = structs.endpoint_info(flags=EndpointFlag.HOST)
            endpoints.update(structs.endpoint_key.of(ip_address(address)), host)
    with Map[Any, Any].pinned(tables.IPCACHE) as identities:
        for peer, address in PODS.items():
            node = 0 if peer == number else int(IPv4Address(f"192.168.1.2{peer}"))
            router = Identity.REMOTE_NODE if node else Identity.HOST
            for text, label in ((address, LABEL), (f"10.0.{peer}.1", router)):
                info = structs.remote_endpoint_info(sec_label=label, tunnel_endpoint=node)
                identities.update(structs.ipcache_key.of(ip_network(text)), info)
        world = structs.remote_endpoint_info(sec_label=Identity.WORLD)
        identities.update(structs.ipcache_key.of(ip_network("0.0.0.0/0")), world)
    datapath.attach_pod(config(number), index)


def main(number: int, count: int, pod: str) -> None:
    shell.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"])
    datapath.install(config(number))
    fill(number)
    operations = Table(profile("modern", {}), {}).update(dict(services(count, pod)))
    NodeMaps([4]).carry_out(operations)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
