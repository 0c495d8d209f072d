"""The datapath's own network devices and the kernel settings it needs.

cilium_host and cilium_net are a veth pair: what the node sends to the pod networks leaves through
cilium_host, whose egress program takes it over. cilium_vxlan takes the tunnel's far end from each
packet (`external`), so one device serves all nodes.
"""

from __future__ import annotations

import socket
from pathlib import Path

from lab import shell
from lab.bpf.codes import OVERLAY_PORT
from lab.bpf.config import NodeConfig

HOST = "cilium_host"
PEER = "cilium_net"
OVERLAY = "cilium_vxlan"

SETTINGS = {
    "net/ipv4/ip_forward": "1",
    # Packets of one flow come in by the uplink, the tunnel and a pod: asymmetry is the rule.
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    # What comes in by the uplink may leave by it: no reason to tell the router of a shorter way.
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
}

SETTINGS6 = {
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/all/forwarding": "1",
}


def prepare(config: NodeConfig, *, route_services: bool) -> None:
    """Make the devices, addresses and routes; what is there already is left as it is.

    `route_services`: send the node's own packets to ClusterIPs through cilium_host, whose program
    balances them.
    """
    for name, value in {**SETTINGS, **(SETTINGS6 if config.ipv6 else {})}.items():
        _set(name, value)
    present = {name for _, name in socket.if_nameindex()}
    lines = [*_links(config, present), *_addresses(config), *_addresses6(config)]
    if route_services:
        lines += _service_routes(config)
    shell.run(["ip", "-force", "-batch", "-"], input="\n".join(lines) + "\n")
    tunnel = (OVERLAY,) if config.tunnel else ()
    for name in (HOST, PEER, *tunnel, config.uplink):
        _set(f"net/ipv4/conf/{name}/rp_filter", "0")


def mac_of(name: str) -> bytes:
    """The MAC address of an interface."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:  # 0: receives nothing
        raw.bind((name, 0))
        address: bytes = raw.getsockname()[4]
        return address


def _links(config: NodeConfig, present: set[str]) -> list[str]:
    lines = []
    if HOST not in present:
        lines += [
            f"link add {HOST} mtu {config.mtu} type veth peer name {PEER} mtu {config.mtu}",
            # Nobody answers ARP on either end: the programs take every packet.
            f"link set {PEER} arp off addrgenmode none",
            f"link set {HOST} arp off addrgenmode none",
            # In an order of their own: up first would mean a link-local address first.
            f"link set {PEER} up",
            f"link set {HOST} up",
        ]
    if config.tunnel and OVERLAY not in present:
        lines += [
            f"link add {OVERLAY} type vxlan external dstport {OVERLAY_PORT}",
            f"link set {OVERLAY} mtu {config.mtu} addrgenmode none",
            f"link set {OVERLAY} up",
        ]
    return lines


def _addresses(config: NodeConfig) -> list[str]:
    router = config.router_ip
    lines = [
        f"address replace {router}/32 dev {HOST}",
        f"route replace {router}/32 dev {HOST} scope link",
        f"route replace {config.pod_cidr} via {router} dev {HOST} src {router}",
    ]
    if config.tunnel:
        lines.append(
            f"route replace {config.cluster_cidr} via {router} dev {HOST} src {router}"
            f" mtu {config.pod_mtu}"
        )
    return lines


def _addresses6(config: NodeConfig) -> list[str]:
    side = config.ipv6
    if side is None:
        return []
    lines = [
        f"address replace {side.router_ip}/128 dev {HOST} nodad",
        f"route replace {side.pod_cidr} dev {HOST} src {side.router_ip}",
    ]
    if config.tunnel:
        lines.append(
            f"route replace {side.cluster_cidr} dev {HOST} src {side.router_ip}"
            f" mtu {config.pod_mtu}"
        )
    return lines


def _service_routes(config: NodeConfig) -> list[str]:
    lines, side = [], config.ipv6
    if config.service_cidr is not None:
        via = f"via {config.router_ip} dev {HOST} src {config.router_ip}"
        lines.append(f"route replace {config.service_cidr} {via}")
    if side is not None and side.service_cidr is not None:
        lines.append(f"route replace {side.service_cidr} dev {HOST} src {side.router_ip}")
    return lines


def _set(name: str, value: str) -> None:
    Path("/proc/sys", name).write_text(value)
