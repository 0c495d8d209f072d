"""Everything that can be wrong with a topology, found in one pass.

Each check is a generator of sentences; `problems` runs them all. A check says nothing about a
part that another check has to refuse first (an address that is no address is reported once).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from lab.topology import vocabulary
from lab.topology.check_cluster import cluster_problems
from lab.topology.model import Link, Options, Topology
from lab.topology.reading import address, listed, subnet, subnet6

MAX_INTERFACE_NAME = 15
"""IFNAMSIZ less its terminating NUL (linux/if.h)."""

MAX_NETWORK_NAME = 11
"""The network's bridge has its name, and its ports are called `<network>-<number>`."""

MAX_PREFIX6 = 96
"""An IPv6 subnet has room for the host part of any IPv4 address."""

MAX_NODE_NAME = 63
"""A host name is one DNS label (RFC 1123)."""

MAC = re.compile("[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}")
"""The lowest bit of the first byte says multicast (IEEE 802)."""

RESERVED_INTERFACES = frozenset({"lo", "cilium_host", "cilium_net", "cilium_vxlan"})


def problems(topology: Topology) -> list[str]:
    """All mistakes, in the order of the checks; empty when the topology can be resolved."""
    return [sentence for check in CHECKS for sentence in check(topology)]


def interface_names(topology: Topology) -> list[str]:
    """For each link the name of its interface: as written, or the node's next free ethN."""
    written = {(link.node, link.interface) for link in topology.links if link.interface}
    names: list[str] = []
    for link in topology.links:
        name, number = link.interface, 0
        while name is None or (link.interface is None and (link.node, name) in written):
            name, number = f"eth{number}", number + 1
        written.add((link.node, name))
        names.append(name)
    return names


def _names(topology: Topology) -> Iterator[str]:
    if not topology.nodes:
        yield "there is no node"
    yield from _twice("network", (network.name for network in topology.networks))
    yield from _twice("node", (node.name for node in topology.nodes))
    both = {n.name for n in topology.networks} & {n.name for n in topology.nodes}
    for name in sorted(both):
        yield f"{name!r} is both a network and a node: give one of them another name"
    for network in topology.networks:
        if len(network.name) > MAX_NETWORK_NAME:
            yield f"network {network.name!r}: name has more than {MAX_NETWORK_NAME} characters"
    for name in [node.name for node in topology.nodes] + [n.name for n in topology.networks]:
        if not _is_label(name):
            yield f"{name!r} is no host name: letters, digits and inner hyphens only"


def _is_label(name: str) -> bool:
    inner = name.replace("-", "a")
    edges = not name.startswith("-") and not name.endswith("-")
    return edges and inner.isascii() and inner.isalnum() and len(name) <= MAX_NODE_NAME


def _subnets(topology: Topology) -> Iterator[str]:
    known: list[tuple[str, IPv4Network]] = []
    for what, text in [(f"network {n.name!r}", n.subnet) for n in topology.networks] + [
        (f"cluster {option}", str(value)) for option, value in _cluster_subnets(topology)
    ]:
        found = subnet(text)
        if found is None:
            yield f"{what}: {text!r} is no IPv4 subnet in CIDR form, such as 192.168.1.0/24"
            continue
        for other, taken in known:
            if found.overlaps(taken):
                yield f"{what}: subnet {found} overlaps {taken} of {other}"
        known.append((what, found))


def _cluster_subnets(topology: Topology) -> Iterator[tuple[str, object]]:
    for cluster in topology.clusters[:1]:
        for option in ("vip_pool", "cluster_cidr", "service_cidr"):
            yield option, cluster.options.get(option, vocabulary.CLUSTER[option].default)


def _subnets6(topology: Topology) -> Iterator[str]:
    known: list[tuple[str, IPv6Network]] = []
    for network in topology.networks:
        known_as, text = f"network {network.name!r}", network.options.get("subnet6")
        found = subnet6(text)
        if text is not None and (found is None or found.prefixlen > MAX_PREFIX6):
            yield f"{known_as}: subnet6 {text!r} is no IPv6 subnet such as 2001:db8:1::/64"
        for other, taken in known:
            if found is not None and found.overlaps(taken):
                yield f"{known_as}: subnet6 {found} overlaps {taken} of {other}"
        if found is not None:
            known.append((known_as, found))


def _link_ends(topology: Topology) -> Iterator[str]:
    nodes = {node.name for node in topology.nodes}
    networks = {network.name for network in topology.networks}
    for link in topology.links:
        if link.node not in nodes:
            yield f"{link}: unknown node {link.node!r}"
        if link.network not in networks:
            yield f"{link}: unknown network {link.network!r}; there are {listed(networks)}"
    linked = {link.node for link in topology.links}
    for node in topology.nodes:
        if node.name not in linked:
            yield f"node {node.name!r} has no link"


def _interfaces(topology: Topology) -> Iterator[str]:
    names = interface_names(topology)
    for link, name in zip(topology.links, names, strict=True):
        if len(name) > MAX_INTERFACE_NAME:
            yield (
                f"{link}: interface name {name!r} has {len(name)} characters, "
                f"the kernel takes {MAX_INTERFACE_NAME}"
            )
        if name in RESERVED_INTERFACES or not name.isprintable() or "/" in name or " " in name:
            yield f"{link}: {name!r} cannot be the name of an interface"
    yield from _twice(
        "interface", (f"{ln.node}:{n}" for ln, n in zip(topology.links, names, strict=True))
    )


def _addresses(topology: Topology) -> Iterator[str]:
    # Of two networks of one name, which is reported elsewhere, the first counts.
    subnets = {n.name: subnet(n.subnet) for n in reversed(topology.networks)}
    owners: dict[IPv4Address, Link] = {}
    for link in topology.links:
        found = address(link.address)
        if found is None:
            yield f"{link}: {link.address!r} is no IPv4 address"
            continue
        if found in owners:
            yield f"{link}: address {found} is already that of {owners[found]}"
        owners.setdefault(found, link)
        of_network = subnets.get(link.network)
        if of_network is not None:
            yield from _in_subnet(f"{link}: address", found, of_network)


def _in_subnet(what: str, found: IPv4Address, of: IPv4Network) -> Iterator[str]:
    if found not in of:
        yield f"{what} {found} is outside {of}"
    elif of.prefixlen < 31 and found in (of.network_address, of.broadcast_address):
        yield f"{what} {found} is the network or broadcast address of {of}"


def _gateways(topology: Topology) -> Iterator[str]:
    owned = {address(link.address) for link in topology.links}
    for what, text, reach in _wanted_gateways(topology):
        found = address(text)
        if found is None:
            yield f"{what}: gateway {text!r} is no IPv4 address"
        elif found not in owned:
            yield f"{what}: no node has the gateway's address {found}"
        elif not any(found in subnet for subnet in reach):
            yield f"{what}: gateway {found} is not on any of its links"


def _wanted_gateways(topology: Topology) -> Iterator[tuple[str, object, list[IPv4Network]]]:
    """Whose gateway, as it is written, and the subnets that it has to be in."""
    subnets = {network.name: subnet(network.subnet) for network in topology.networks}
    for network in topology.networks:
        if "gateway" in network.options:
            reach = [subnets[network.name]]
            yield f"network {network.name!r}", network.options["gateway"], _known(reach)
    for node in topology.nodes:
        if "gateway" in node.options:
            reach = [subnets.get(ln.network) for ln in topology.links if ln.node == node.name]
            yield f"node {node.name!r}", node.options["gateway"], _known(reach)


def _known(subnets: Iterable[IPv4Network | None]) -> list[IPv4Network]:
    return [one for one in subnets if one is not None]


def _macs(topology: Topology) -> Iterator[str]:
    written = [(link, link.options["mac"]) for link in topology.links if "mac" in link.options]
    for link, mac in written:
        if not isinstance(mac, str) or not MAC.fullmatch(mac):
            yield f"{link}: mac {mac!r} is no unicast address such as 02:00:00:00:00:01"
    yield from _twice("mac", (str(mac).lower() for _, mac in written))


def _options(topology: Topology) -> Iterator[str]:
    known = (*vocabulary.CLUSTER, *vocabulary.DATAPATH)
    for network in topology.networks:
        yield from _unknown(f"network {network.name!r}", network.options, vocabulary.NETWORK)
    for node in topology.nodes:
        yield from _unknown(f"node {node.name!r}", node.options, vocabulary.NODE)
    for link in topology.links:
        yield from _unknown(str(link), link.options, vocabulary.LINK)
    for cluster in topology.clusters:
        yield from _unknown("cluster", cluster.options, known)


def _unknown(what: str, options: Options, known: Iterable[str]) -> Iterator[str]:
    for option in options:
        if option not in known:
            near = get_close_matches(option, list(known), n=1)
            hint = f"did you mean {near[0]}? There are" if near else "there are"
            yield f"{what}: unknown option {option!r}; {hint} {listed(known)}"


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what} {name!r} is defined {count} times"


CHECKS: tuple[Callable[[Topology], Iterator[str]], ...] = (
    _names,
    _subnets,
    _subnets6,
    _link_ends,
    _interfaces,
    _addresses,
    _gateways,
    _macs,
    _options,
    cluster_problems,
)
