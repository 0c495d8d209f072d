"""Nodes and pods -> who is behind each address, and how to get there. Pure.

Entries of `cilium_ipcache` (identity and tunnel endpoint of every address of the cluster) and of
`cilium_lxc` (the addresses on this node), and routes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from lightkube.resources.core_v1 import Node, Pod

from lab.agent.identity import labels_of, number_of
from lab.agent.pods.local import LocalPod
from lab.bpf import structs
from lab.bpf.codes import EndpointFlag, Identity
from lab.bpf.layout import Address, Network, mac

IPCACHE = "cilium_ipcache"
ENDPOINTS = "cilium_lxc"

Entries = dict[bytes, bytes]
_NOWHERE = IPv4Address(0)
_WORLD, _WORLD6 = IPv4Network("0.0.0.0/0"), IPv6Network("::/0")


@dataclass(frozen=True)
class NodePlace:
    """A node of the cluster as others reach it."""

    name: str
    address: IPv4Address
    """Also where tunnels to it end, for packets of both families."""
    pod_cidr: IPv4Network
    address6: IPv6Address | None = None
    pod_cidr6: IPv6Network | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Its own address of each family."""
        return (self.address, self.address6) if self.address6 else (self.address,)

    @property
    def pod_networks(self) -> tuple[Network, ...]:
        return (self.pod_cidr, self.pod_cidr6) if self.pod_cidr6 else (self.pod_cidr,)

    @property
    def routers(self) -> tuple[Address, ...]:
        """Its cilium_host: the first address of each of its pod networks."""
        return tuple(network.network_address + 1 for network in self.pod_networks)


def node_places(nodes: Iterable[Node]) -> list[NodePlace]:
    """The nodes that have an address and a pod network, by name."""
    found = [place for place in map(_place, nodes) if place is not None]
    return sorted(found, key=lambda place: place.name)


def _place(node: Node) -> NodePlace | None:
    told = (node.status and node.status.addresses) or ()
    addresses = [ip_address(each.address) for each in told if each.type == "InternalIP"]
    written = (node.spec.podCIDRs or (node.spec.podCIDR,)) if node.spec else ()
    networks = [ip_network(cidr) for cidr in written if cidr]
    address = next((each for each in addresses if isinstance(each, IPv4Address)), None)
    pod_cidr = next((each for each in networks if isinstance(each, IPv4Network)), None)
    if not (address and pod_cidr and node.metadata and node.metadata.name):
        return None
    return NodePlace(
        node.metadata.name,
        address,
        pod_cidr,
        next((each for each in addresses if isinstance(each, IPv6Address)), None),
        next((each for each in networks if isinstance(each, IPv6Network)), None),
    )


def pod_addresses(pod: Pod) -> list[str]:
    """The addresses that a pod's status tells, one of each family."""
    status = pod.status
    if status is None or not status.podIP:
        return []
    return [each.ip for each in status.podIPs or () if each.ip] or [status.podIP]


def ipcache(me: str, nodes: Iterable[NodePlace], pods: Iterable[Pod], *, tunnel: bool) -> Entries:
    """All of `cilium_ipcache` on node `me`."""
    entries = dict([_entry(_WORLD, Identity.WORLD)])
    by_address = {}
    for node in nodes:
        if node.address6:
            entries.update([_entry(_WORLD6, Identity.WORLD)])
        by_address[str(node.address)] = node
        entries.update(_node_entries(node, local=node.name == me, tunnel=tunnel))
    for pod in pods:
        status = pod.status
        if status is None or not status.podIP or status.phase in ("Succeeded", "Failed"):
            continue
        host = by_address.get(status.hostIP or "")
        remote = tunnel and host is not None and host.name != me
        via = host.address if remote and host is not None else _NOWHERE
        identity = number_of(labels_of(pod))
        entries.update(_entry(ip_network(each), identity, via) for each in pod_addresses(pod))
    return entries


def endpoints(
    me: NodePlace, pods: Iterable[LocalPod], identity: Callable[[LocalPod], int]
) -> Entries:
    """All of `cilium_lxc` on a node: its pods, and its own two addresses."""
    host = bytes(structs.endpoint_info(flags=EndpointFlag.HOST))
    own = (*me.addresses, *me.routers)
    entries = {bytes(structs.endpoint_key.of(address)): host for address in own}
    for pod in pods:
        info = bytes(
            structs.endpoint_info(
                ifindex=pod.link.index,
                lxc_id=pod.endpoint_id,
                mac=_mac(pod.link.mac),
                node_mac=_mac(pod.link.node_mac),
                sec_id=identity(pod),
            )
        )
        entries.update((bytes(structs.endpoint_key.of(each)), info) for each in pod.addresses)
    return entries


def endpoint_key(pod: LocalPod) -> bytes:
    """The key of a pod's IPv4 address in `cilium_lxc`."""
    return bytes(structs.endpoint_key.of(pod.address))


def routes(me: NodePlace, nodes: Iterable[NodePlace]) -> dict[Network, Address]:
    """Pod networks of the other nodes and the way to each, where no tunnel is used."""
    return {
        network: address
        for node in nodes
        if node.name != me.name
        for network, address in zip(node.pod_networks, node.addresses, strict=False)
    }


def route_commands(
    held: Mapping[Network, Address], wanted: Mapping[Network, Address], uplink: str
) -> list[str]:
    """Lines of a batch of iproute2's that make the wanted routes of those held.

    They name no source: other nodes' pods know a node by its own address and are answered by that
    (as with Cilium's auto-direct-node-routes: createDirectRouteSpec of pkg/datapath/linux/node.go).
    """
    return [f"route del {network}" for network in held.keys() - wanted.keys()] + [
        f"route replace {network} via {via} dev {uplink}"
        for network, via in wanted.items()
        if held.get(network) != via
    ]


def _node_entries(node: NodePlace, *, local: bool, tunnel: bool) -> Iterator[tuple[bytes, bytes]]:
    identity = Identity.HOST if local else Identity.REMOTE_NODE
    via = node.address if tunnel and not local else _NOWHERE
    yield from (_entry(ip_network(address), identity) for address in node.addresses)
    yield from (_entry(ip_network(router), identity, via) for router in node.routers)
    if not local:
        # For pods that are so new that nobody told yet: the way is known, the identity is not.
        yield from (_entry(network, Identity.WORLD, via) for network in node.pod_networks)


def _entry(network: Network, identity: int, via: IPv4Address = _NOWHERE) -> tuple[bytes, bytes]:
    value = structs.remote_endpoint_info(sec_label=identity, tunnel_endpoint=int(via))
    return bytes(structs.ipcache_key.of(network)), bytes(value)


def _mac(text: str) -> object:
    return mac(*bytes.fromhex(text.replace(":", "")))
