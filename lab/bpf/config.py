"""The constants that one node's programs are verified with.

`NodeConfig` is what a person or the agent says; `datapath_config` is the struct in the
programs (`src/config.h`) that `NodeConfig.layout` turns it into.
"""

# The name is the C struct's own (N801); ctypes wants its fields in a list (RUF012).
# ruff: noqa: N801, RUF012

from __future__ import annotations

from ctypes import c_uint8, c_uint16, c_uint32, c_uint64
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from lab.bpf.codes import Aggregation, Identity, Profile
from lab.bpf.layout import Layout, addr6, be32, mac

OVERLAY_OVERHEAD = 50
"""Bytes VXLAN over IPv4 adds: outer Ethernet is not counted, inner Ethernet is."""


class NoBackend(IntEnum):
    """What a packet for a service without backends meets."""

    STACK = 0
    DROP = 1
    REJECT = 2


class datapath_config(Layout):
    """struct datapath_config of `src/config.h`."""

    _fields_ = [
        ("node_ip", be32),
        ("router_ip", be32),
        ("pod_cidr", be32),
        ("pod_mask", be32),
        ("cluster_cidr", be32),
        ("cluster_mask", be32),
        ("node_ip6", addr6),
        ("router_ip6", addr6),
        ("pod_cidr6", addr6),
        ("pod_mask6", addr6),
        ("cluster_cidr6", addr6),
        ("cluster_mask6", addr6),
        ("host_cookie", c_uint64),
        ("overlay_ifindex", c_uint32),
        ("overlay_identity", c_uint32),
        ("ct_tcp_seconds", c_uint32),
        ("ct_any_seconds", c_uint32),
        ("ct_syn_seconds", c_uint32),
        ("ct_close_seconds", c_uint32),
        ("report_seconds", c_uint32),
        ("maglev_size", c_uint32),
        ("snat_port_min", c_uint16),
        ("snat_port_max", c_uint16),
        ("uplink_mtu", c_uint16),
        ("report_flags", c_uint8),
        ("aggregation", c_uint8),
        ("ipv6", c_uint8),
        ("wildcard_services", c_uint8),
        ("no_backend", c_uint8),
        ("snat_before_trace", c_uint8),
        ("tunnel", c_uint8),
        ("masquerade", c_uint8),
        ("default_maglev", c_uint8),
        ("uplink_mac", mac),
        ("pad", c_uint8 * 3),
    ]


@dataclass(frozen=True)
class DualStack:
    """A node's IPv6 side."""

    node_ip: IPv6Address
    router_ip: IPv6Address
    pod_cidr: IPv6Network
    cluster_cidr: IPv6Network
    service_cidr: IPv6Network | None = None


@dataclass(frozen=True)
class Timeouts:
    """Seconds that connection tracking keeps a flow without packets (Cilium's defaults)."""

    tcp: int = 21600
    any: int = 60
    syn: int = 60
    close: int = 10
    report: int = 5
    """Most seconds without an event while packets flow."""


@dataclass(frozen=True)
class NodeConfig:
    """A node as its datapath sees it. Fields left None follow the profile."""

    node_ip: IPv4Address
    router_ip: IPv4Address
    pod_cidr: IPv4Network
    cluster_cidr: IPv4Network
    service_cidr: IPv4Network | None = None
    """Where the node's own packets to services go when they are balanced one by one."""
    uplink: str = "eth0"
    mtu: int = 1500
    profile: Profile = Profile.CILIUM_1_10
    ipv6: DualStack | None = None
    no_backend: NoBackend | None = None
    maglev: bool | None = None
    maglev_size: int = 16381
    tunnel: bool = True
    masquerade: bool = True
    native_xdp: bool = False
    """Requests for other nodes' pods turn around in the uplink's driver (XDP)."""
    aggregation: Aggregation = Aggregation.MEDIUM
    timeouts: Timeouts = Timeouts()
    snat_ports: tuple[int, int] = (32768, 65535)

    @property
    def pod_mtu(self) -> int:
        """Largest packet a pod may send so that it fits through the tunnel."""
        return self.mtu - OVERLAY_OVERHEAD if self.tunnel else self.mtu

    @property
    def modern(self) -> bool:
        return self.profile == Profile.MODERN

    def layout(self, *, overlay: int, host_cookie: int, uplink_mac: bytes) -> datapath_config:
        """The struct for the programs. `overlay`: index of the tunnel device, 0 without one;
        `host_cookie`: the node's network namespace (`sockets.namespace_cookie`).
        """
        result = datapath_config(
            node_ip=int(self.node_ip),
            router_ip=int(self.router_ip),
            pod_cidr=int(self.pod_cidr.network_address),
            pod_mask=int(self.pod_cidr.netmask),
            cluster_cidr=int(self.cluster_cidr.network_address),
            cluster_mask=int(self.cluster_cidr.netmask),
            host_cookie=host_cookie,
            overlay_ifindex=overlay,
            overlay_identity=Identity.WORLD if self.modern else Identity.REMOTE_NODE,
            ct_tcp_seconds=self.timeouts.tcp,
            ct_any_seconds=self.timeouts.any,
            ct_syn_seconds=self.timeouts.syn,
            ct_close_seconds=self.timeouts.close,
            report_seconds=self.timeouts.report,
            report_flags=0xFF,
            maglev_size=self.maglev_size,
            snat_port_min=self.snat_ports[0],
            snat_port_max=self.snat_ports[1],
            uplink_mtu=self.mtu,
            aggregation=self.aggregation,
            wildcard_services=self.modern,
            snat_before_trace=self.modern,
            tunnel=self.tunnel,
            masquerade=self.masquerade,
            uplink_mac=mac(*uplink_mac),
        )
        result.no_backend = self._no_backend()
        result.default_maglev = self.modern if self.maglev is None else self.maglev
        if self.ipv6 is not None:
            _fill_ipv6(result, self.ipv6)
        return result

    def _no_backend(self) -> NoBackend:
        if self.no_backend is not None:
            return self.no_backend
        return NoBackend.REJECT if self.modern else NoBackend.STACK


def _fill_ipv6(result: datapath_config, side: DualStack) -> None:
    result.ipv6 = 1
    result.node_ip6 = addr6(*side.node_ip.packed)
    result.router_ip6 = addr6(*side.router_ip.packed)
    result.pod_cidr6 = addr6(*side.pod_cidr.network_address.packed)
    result.pod_mask6 = addr6(*side.pod_cidr.netmask.packed)
    result.cluster_cidr6 = addr6(*side.cluster_cidr.network_address.packed)
    result.cluster_mask6 = addr6(*side.cluster_cidr.netmask.packed)
