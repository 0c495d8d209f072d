"""The same look at both address families: which of its addresses a node answers a VIP with."""

from __future__ import annotations

from lab.errors import LabError
from lab.scenario.stage import Stage
from lab.topology.plan import PlannedNode


def is_ipv6(address: str) -> bool:
    return ":" in address


def url(address: str) -> str:
    """The page at an address: IPv6 goes in brackets (RFC 3986, section 3.2.2)."""
    return f"http://{bracketed(address)}/"


def bracketed(address: str) -> str:
    """An address as it stands before a colon and a port."""
    return f"[{address}]" if is_ipv6(address) else address


def address_of(node: PlannedNode, like: str) -> str:
    """A node's address in its first network, of the same family as another address."""
    return _there(node.name, node.address6 if is_ipv6(like) else node.address)


def router_ip_of(node: PlannedNode, like: str) -> str:
    """A cluster node's address in its pod network, of the same family as another address."""
    return _there(node.name, node.router_ip6 if is_ipv6(like) else node.router_ip)


def peer_of(stage: Stage, like: str) -> str:
    """The router's address in the nodes' network, of the same family as another address."""
    cluster = stage.plan.cluster
    if cluster is None:
        raise LabError(f"{stage.plan.name} has no cluster to balance to")
    return _there(stage.plan.name, cluster.router6 if is_ipv6(like) else cluster.router)


def _there(name: str, address: object | None) -> str:
    if address is None:
        raise LabError(f"{name} has no IPv6: use a topology of both families, such as dual_stack")
    return str(address)
