"""What can be wrong with a cluster: its members, its router, the values of its options."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from lab.topology import vocabulary
from lab.topology.model import Link, Options, Topology
from lab.topology.plan import NodeKind
from lab.topology.reading import listed, subnet, subnet6

POD_PREFIX = 24
"""Length of a node's pod network, that of Kubernetes' default node-cidr-mask-size."""
POD_PREFIX6 = 64
"""The same of its IPv6 pod network."""

PASSWORD = re.compile("[!-~]*")
"""FRR reads a password as one word."""


def cluster_problems(topology: Topology) -> Iterator[str]:
    """All mistakes that concern the cluster; some of them for want of one."""
    kinds = Counter(node.kind for node in topology.nodes)
    kube = kinds[NodeKind.MASTER] + kinds[NodeKind.WORKER]
    if len(topology.clusters) > 1:
        yield f"{len(topology.clusters)} clusters: there can be one"
    if kube and not topology.clusters:
        yield "there are masters or workers and no cluster(): add one"
    if not topology.clusters:
        return
    if kinds[NodeKind.MASTER] != 1:
        yield f"a cluster has one master, here are {kinds[NodeKind.MASTER]}"
    options = topology.clusters[0].options
    yield from _peering(topology)
    yield from _pod_networks(kube, options)
    yield from _values(options)
    if options.get("vip_pool6") is not None:
        yield from _both_families(topology, kube, options)


def _peering(topology: Topology) -> Iterator[str]:
    """All masters and workers have their first leg in one network, with one router on it."""
    kinds = {node.name: node.kind for node in topology.nodes}
    first: dict[str, Link] = {}
    for link in topology.links:
        first.setdefault(link.node, link)
    kube = [
        link for name, link in first.items()
        if kinds.get(name) in (NodeKind.MASTER, NodeKind.WORKER)
    ]  # fmt: skip
    networks = sorted({link.network for link in kube})
    if len(networks) > 1:
        yield f"the nodes of a cluster share one network, here are {listed(networks)}"
    if len(networks) != 1:
        return
    on_it = {link.node for link in topology.links if link.network == networks[0]}
    routers = sorted(name for name in on_it if kinds.get(name) is NodeKind.ROUTER)
    if len(routers) != 1:
        here = listed(routers) or "none"
        yield f"network {networks[0]!r} has one router for BGP, here are {here}"


def _pod_networks(nodes: int, options: Options) -> Iterator[str]:
    written = options.get("cluster_cidr", vocabulary.CLUSTER["cluster_cidr"].default)
    of_pods = subnet(written)
    if of_pods is not None and nodes > 2 ** max(0, POD_PREFIX - of_pods.prefixlen):
        yield f"cluster: {of_pods} has no /{POD_PREFIX} for each of {nodes} nodes"
    elif of_pods is not None and of_pods.prefixlen > POD_PREFIX:
        yield f"cluster: {of_pods} is smaller than the /{POD_PREFIX} of a node"


def _both_families(topology: Topology, nodes: int, options: Options) -> Iterator[str]:
    """What a cluster of both address families needs beside its IPv4 half."""
    found = {}
    for name, example in (
        ("vip_pool6", "2001:db8:172::/112"),
        ("cluster_cidr6", "fd00:10::/48"),
        ("service_cidr6", "fd00:96::/112"),
    ):
        written = options.get(name, vocabulary.CLUSTER[name].default)
        found[name] = subnet6(written)
        if found[name] is None:
            yield f"cluster: {name} {written!r} is no IPv6 subnet such as {example}"
    of_pods = found["cluster_cidr6"]
    if of_pods is not None and nodes > 2 ** (POD_PREFIX6 - of_pods.prefixlen):
        yield f"cluster: {of_pods} has no /{POD_PREFIX6} for each of {nodes} nodes"
    if not any(network.options.get("subnet6") for network in topology.networks):
        yield "cluster: vip_pool6 needs subnet6 on the nodes' network"


def _values(options: Options) -> Iterator[str]:
    for option, known in {**vocabulary.CLUSTER, **vocabulary.DATAPATH}.items():
        value = options.get(option, known.default)
        if value is not None and known.values and value not in known.values:
            yield f"cluster: {option} {value!r} is unknown; there are {listed(known.values)}"
    for option in ("asn", "node_asn"):
        asn = options.get(option, 1)
        if not isinstance(asn, int) or not 0 < asn < 2**32:
            yield f"cluster: {option} {asn!r} is no AS number (1 to 4294967295, RFC 6793)"
    port = options.get("api_port", 1)
    if not isinstance(port, int) or not 0 < port < 2**16:
        yield f"cluster: api_port {port!r} is no port"
    yield from _maglev_size(options.get("maglev_size", 16381))
    yield from _node_ports(options.get("node_ports", (1, 2)))
    yield from _bfd(options.get("bfd", ""))
    yield from _whole("ttl_security", options.get("ttl_security", ""), 254)
    yield from _whole("maximum_prefixes", options.get("maximum_prefixes", ""), 2**32 - 1)
    if options.get("ttl_security", "") != "" and "node_asn" not in options:
        yield "cluster: ttl_security is for eBGP: give the nodes AS numbers with node_asn"
    password = options.get("bgp_password", "")
    if not isinstance(password, str) or not PASSWORD.fullmatch(password):
        yield "cluster: bgp_password has a character that FRR cannot read: no spaces"


def _maglev_size(value: object) -> Iterator[str]:
    """A Maglev table has a prime number of places (NSDI 2016, section 3.4)."""
    size = int(str(value)) if str(value).isdigit() else 0
    if size < 251 or size > 131071 or any(size % n == 0 for n in range(2, int(size**0.5) + 1)):
        yield f"cluster: maglev_size {value!r} is no prime between 251 and 131071"


def _node_ports(value: object) -> Iterator[str]:
    if not isinstance(value, tuple) or len(value) != 2 or not 0 < value[0] <= value[1] < 2**16:
        yield f"cluster: node_ports {value!r} is no range of ports, such as (30000, 32767)"


def _whole(option: str, value: object, most: int) -> Iterator[str]:
    """A number from 1 on, or nothing."""
    text = str(value)
    if text and not (text.isdigit() and 1 <= int(text) <= most):
        yield f"cluster: {option} {value!r} is no number from 1 to {most}"


def _bfd(value: object) -> Iterator[str]:
    """`MULTIPLIERxMILLISECONDS`, with the bounds of FRR's `detect-multiplier` and intervals."""
    multiplier, _, interval = str(value).partition("x")
    good = multiplier.isdigit() and interval.isdigit()
    if value != "" and not (good and 2 <= int(multiplier) <= 255 and 10 <= int(interval) <= 60000):
        yield f"cluster: bfd {value!r} is not of the form 3x50 (packets missed x milliseconds)"
