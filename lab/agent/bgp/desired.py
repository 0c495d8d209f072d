"""Settings of the cluster and VIPs -> what a node's FRR is to be configured with. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from lab.agent.announce import Announced
from lab.agent.bgp.metallb import Manner, Settings
from lab.agent.bgp.selection import Labels
from lab.frr.model import Advertisement, Bfd, BgpConfig, Neighbor, Prefix


def from_metallb(
    settings: Settings,
    vips: Iterable[Announced],
    *,
    node_ip: IPv4Address,
    labels: Labels,
    bfd: Bfd | None,
) -> BgpConfig:
    """A node's BGP as MetalLB's ConfigMap wants it.

    All sessions of a node share one AS number, that of its first peer; a peer with another one
    sees that as the local AS.
    """
    peers = [peer for peer in settings.peers if peer.is_for(labels)]
    if not peers:
        return BgpConfig(asn=0, router_id=node_ip)
    asn = peers[0].my_asn
    neighbors = tuple(
        Neighbor(
            address=peer.address,
            asn=peer.asn,
            local_asn=None if peer.my_asn == asn else peer.my_asn,
            password=peer.password,
            port=None if peer.port == 179 else peer.port,
            keepalive=peer.hold // 3,
            hold=peer.hold,
            bfd=bfd,
        )
        for peer in peers
    )
    return BgpConfig(
        asn=asn,
        router_id=peers[0].router_id or node_ip,
        neighbors=neighbors,
        advertisements=tuple(_advertisements(settings, vips)),
    )


def _advertisements(settings: Settings, vips: Iterable[Announced]) -> list[Advertisement]:
    """One for each prefix: attributes of all that ask for it put together."""
    found: dict[Prefix, Advertisement] = {}
    for vip in vips:
        if not isinstance(vip.address, IPv4Address):
            continue
        for manner in settings.manners(vip.address):
            new = _advertisement(vip.address, manner)
            old = found.get(new.prefix)
            found[new.prefix] = new if old is None else merged(old, new)
    return sorted(found.values(), key=lambda each: (each.prefix.version, each.prefix))


def _advertisement(address: IPv4Address, manner: Manner) -> Advertisement:
    prefix = IPv4Network((address, manner.aggregation_length), strict=False)
    return Advertisement(
        prefix, communities=manner.communities, local_preference=manner.local_preference
    )


def merged(one: Advertisement, other: Advertisement) -> Advertisement:
    """One advertisement for two of the same prefix: all communities, the greater preference."""
    preferences = [
        each.local_preference for each in (one, other) if each.local_preference is not None
    ]
    neighbors = (
        None
        if one.neighbors is None or other.neighbors is None
        else one.neighbors | other.neighbors
    )
    return Advertisement(
        one.prefix,
        communities=one.communities | other.communities,
        large_communities=one.large_communities | other.large_communities,
        local_preference=max(preferences, default=None),
        neighbors=neighbors,
    )
