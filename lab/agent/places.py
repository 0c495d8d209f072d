"""Nodes and pods -> who is behind each address, and how to get there. Pure.

Entries of `cilium_ipcache` (identity and tunnel endpoint of every address of the cluster) and of
`cilium_lxc` (the addresses on this node), and routes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from lightkube.resources.core_v1 import Node, Pod

from lab.agent.identity import labels_of, number_of
from lab.agent.pods.local import LocalPod
from lab.bpf import structs
from lab.bpf.codes import EndpointFlag, Identity
from lab.bpf.layout import mac

IPCACHE = "cilium_ipcache"
ENDPOINTS = "cilium_lxc"

Entries = dict[bytes, bytes]
_NOWHERE = IPv4Address(0)
_WORLD = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True)
class NodePlace:
    """A node of the cluster as others reach it."""

    name: str
    address: IPv4Address
    pod_cidr: IPv4Network

    @property
    def router(self) -> IPv4Address:
        """Its cilium_host: the first address of its pod network."""
        return self.pod_cidr.network_address + 1


def node_places(nodes: Iterable[Node]) -> list[NodePlace]:
    """The nodes that have an address and a pod network, by name."""
    found = []
    for node in nodes:
        addresses = (node.status and node.status.addresses) or ()
        internal = next((a.address for a in addresses if a.type == "InternalIP"), None)
        cidr = node.spec.podCIDR if node.spec else None
        if internal and cidr and node.metadata and node.metadata.name:
            place = NodePlace(node.metadata.name, IPv4Address(internal), IPv4Network(cidr))
            found.append(place)
    return sorted(found, key=lambda place: place.name)


def ipcache(me: str, nodes: Iterable[NodePlace], pods: Iterable[Pod], *, tunnel: bool) -> Entries:
    """All of `cilium_ipcache` on node `me`."""
    entries = dict([_entry(_WORLD, Identity.WORLD)])
    by_address = {}
    for node in nodes:
        by_address[str(node.address)] = node
        entries.update(_node_entries(node, local=node.name == me, tunnel=tunnel))
    for pod in pods:
        status = pod.status
        if status is None or not status.podIP or status.phase in ("Succeeded", "Failed"):
            continue
        host = by_address.get(status.hostIP or "")
        remote = tunnel and host is not None and host.name != me
        via = host.address if remote and host is not None else _NOWHERE
        address = IPv4Network(status.podIP)
        entries.update([_entry(address, number_of(labels_of(pod)), via)])
    return entries


def endpoints(
    me: NodePlace, pods: Iterable[LocalPod], identity: Callable[[LocalPod], int]
) -> Entries:
    """All of `cilium_lxc` on a node: its pods, and its own two addresses."""
    host = bytes(structs.endpoint_info(flags=EndpointFlag.HOST))
    entries = {bytes(structs.endpoint_key.of(address)): host for address in (me.address, me.router)}
    for pod in pods:
        entries[endpoint_key(pod)] = bytes(
            structs.endpoint_info(
                ifindex=pod.link.index,
                lxc_id=pod.endpoint_id,
                mac=_mac(pod.link.mac),
                node_mac=_mac(pod.link.node_mac),
                sec_id=identity(pod),
            )
        )
    return entries


def endpoint_key(pod: LocalPod) -> bytes:
    """The key of a pod in `cilium_lxc`."""
    return bytes(structs.endpoint_key.of(pod.address))


def routes(me: NodePlace, nodes: Iterable[NodePlace]) -> dict[IPv4Network, IPv4Address]:
    """Pod networks of the other nodes and the way to each, where no tunnel is used."""
    return {node.pod_cidr: node.address for node in nodes if node.name != me.name}


def _node_entries(node: NodePlace, *, local: bool, tunnel: bool) -> Iterator[tuple[bytes, bytes]]:
    identity = Identity.HOST if local else Identity.REMOTE_NODE
    via = node.address if tunnel and not local else _NOWHERE
    yield _entry(IPv4Network(node.address), identity)
    yield _entry(IPv4Network(node.router), identity, via)
    if not local:
        # For pods that are so new that nobody told yet: the way is known, the identity is not.
        yield _entry(node.pod_cidr, Identity.WORLD, via)


def _entry(network: IPv4Network, identity: int, via: IPv4Address = _NOWHERE) -> tuple[bytes, bytes]:
    value = structs.remote_endpoint_info(sec_label=identity, tunnel_endpoint=int(via))
    return bytes(structs.ipcache_key.of(network)), bytes(value)


def _mac(text: str) -> object:
    return mac(*bytes.fromhex(text.replace(":", "")))
