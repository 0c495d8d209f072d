"""The article's connection as the events that the two nodes' programs write.

Client 192.168.1.1 curls the VIP; node4 (router address 10.0.4.105) is the ingress node; the pod
10.0.3.150 lives on node 3 (router address 10.0.3.103), whose kubelet probes it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import datetime, timezone
from ipaddress import ip_address

from lab.hubble.identity import reserved_labels
from lab.hubble.lookup import Endpoint, Service, Workload

POD = "10.0.3.150"
CLIENT = "192.168.1.1"
INGRESS_ROUTER = "10.0.4.105"
POD_ROUTER = "10.0.3.103"
POD_IDENTITY = 35812
POD_ENDPOINT = 77

TO_ENDPOINT, TO_STACK, TO_OVERLAY, FROM_OVERLAY, TO_NETWORK = 0, 3, 4, 9, 11
NEW, ESTABLISHED, REPLY, RELATED, UNKNOWN = 0, 1, 2, 3, 5

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

WEB = Endpoint(
    identity=POD_IDENTITY,
    id=POD_ENDPOINT,
    namespace="default",
    pod="web1-696bfbbbc4-jnxbc",
    labels=("k8s:io.kubernetes.pod.namespace=default", "k8s:svc=web1-lb"),
    workloads=(Workload("web1", "Deployment"),),
)


def packed(address: str) -> bytes:
    return ip_address(address).packed


def at(clock: str) -> int:
    """ "15:43:41.382" of the article's day, Unix nanoseconds."""
    time = datetime.strptime(f"2021-10-31 {clock}", "%Y-%m-%d %H:%M:%S.%f")
    return int(time.replace(tzinfo=timezone.utc).timestamp() * 1000 + 0.5) * 10**6


@dataclass
class Directory:
    """An EndpointLookup over dictionaries."""

    endpoints: dict[bytes, Endpoint] = field(default_factory=dict)
    services: dict[tuple[bytes, int], Service] = field(default_factory=dict)
    identities: dict[int, tuple[str, ...]] = field(default_factory=dict)
    interfaces: dict[int, str] = field(default_factory=dict)

    def endpoint(self, address: bytes) -> Endpoint | None:
        return self.endpoints.get(address)

    def labels(self, identity: int) -> tuple[str, ...]:
        return self.identities.get(identity, ())

    def service(self, address: bytes, port: int) -> Service | None:
        return self.services.get((address, port))

    def now(self) -> Directory:
        return self

    def interface(self, index: int) -> str:
        return self.interfaces.get(index, "")


def pod_node() -> Directory:
    """What the agent of the pod's node knows."""
    return Directory(
        endpoints={
            packed(POD): WEB,
            packed(POD_ROUTER): Endpoint(identity=1, labels=reserved_labels(1)),
            packed(INGRESS_ROUTER): Endpoint(identity=6, labels=reserved_labels(6)),
        },
        services={(packed("172.16.10.0"), 80): Service("default", "web1-lb")},
        interfaces={7: "lxc1234", 3: "cilium_vxlan", 2: "eth0"},
    )


def ingress_node() -> Directory:
    """What the agent of the ingress node knows: the pod is no local endpoint there."""
    remote = Endpoint(
        identity=WEB.identity,
        namespace=WEB.namespace,
        pod=WEB.pod,
        labels=WEB.labels,
        workloads=WEB.workloads,
    )
    directory = pod_node()
    directory.endpoints[packed(POD)] = remote
    return directory


def frame(
    source: str,
    destination: str,
    *,
    protocol: int = 6,
    ports: tuple[int, int] = (0, 0),
    flags: int = 0,
    icmp: tuple[int, int] = (8, 0),
) -> bytes:
    """An Ethernet frame with an IPv4 or IPv6 packet; enough of TCP, UDP or ICMP to be read."""
    layer4 = {
        6: struct.pack(">HHIIBBHHH", *ports, 1, 2, 5 << 4 | flags >> 8, flags & 255, 64240, 0, 0),
        17: struct.pack(">HHHH", *ports, 8, 0),
        132: struct.pack(">HHII", *ports, 0, 0),
        1: struct.pack(">BBHHH", *icmp, 0, 1, 1),
        58: struct.pack(">BBHHH", *icmp, 0, 1, 1),
    }[protocol]
    macs = bytes.fromhex("0a00000000020a0000000001")
    if ":" in source:
        ip = struct.pack(">IHBB", 6 << 28, len(layer4), protocol, 64)
        return macs + b"\x86\xdd" + ip + packed(source) + packed(destination) + layer4
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(layer4), 1, 0x4000, 64, protocol, 0)
    return macs + b"\x08\x00" + ip + packed(source) + packed(destination) + layer4


def trace(
    point: int,
    packet: bytes,
    *,
    reason: int = NEW,
    source: int = 0,
    identities: tuple[int, int] = (0, 0),
    interface: int = 0,
    version: int = 1,
    original: str = "",
) -> bytes:
    """struct trace_notify and the packet."""
    header = struct.pack("=BBHIIHH", 4, point, source, 0x5F1A, len(packet), len(packet), version)
    fixed = struct.pack("=IIHBBI", *identities, 0, reason, 0, interface)
    earlier = packed(original).ljust(16, b"\0") if original else bytes(16)
    tail = {0: b"", 1: earlier, 2: earlier + bytes(8)}[version]
    return header + fixed + tail + packet


def drop(
    reason: int,
    packet: bytes,
    *,
    source: int = 0,
    identities: tuple[int, int] = (0, 0),
    interface: int = 0,
    version: int = 1,
) -> bytes:
    """struct drop_notify and the packet."""
    header = struct.pack("=BBHIIHH", 1, reason, source, 0x5F1A, len(packet), len(packet), version)
    fixed = struct.pack("=IIIHBbI", *identities, 0, 42, 1, 0, interface)
    tail = {0: b"", 1: b"", 2: bytes(4), 3: bytes(12)}[version]
    return header + fixed + tail + packet


def policy_verdict(
    verdict: int,
    packet: bytes,
    *,
    remote: int = 2,
    ingress: bool = True,
    match: int = 0,
    audited: bool = False,
    source: int = POD_ENDPOINT,
    version: int = 1,
) -> bytes:
    """struct policy_verdict_notify and the packet."""
    header = struct.pack("=BBHIIHH", 5, 0, source, 0x5F1A, len(packet), len(packet), version)
    flags = (1 if ingress else 2) | match << 3 | (0x40 if audited else 0)
    fixed = struct.pack("=IiHBBI", remote, verdict, 0x5000, 6, flags, 0)
    return header + fixed + bytes(8 if version == 2 else 0) + packet


def client_to_pod(flags: int, source: str = CLIENT, port: int = 36946) -> bytes:
    return frame(source, POD, ports=(port, 80), flags=flags)


def pod_to(destination: str, port: int, flags: int) -> bytes:
    return frame(POD, destination, ports=(80, port), flags=flags)
