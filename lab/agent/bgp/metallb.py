"""A node's BGP as the agent of Cilium 1.10 makes it of MetalLB's ConfigMap. Pure.

That agent announced IPv4 alone; IPv6 follows MetalLB 0.12, the last one with a ConfigMap: a session
carries the routes of its own family.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address

from lab.agent.bgp.announce import Announced
from lab.agent.bgp.composing import Attributes, Composer
from lab.agent.bgp.metallb_config import CONFIG, Peer, Settings
from lab.agent.bgp.selection import Labels
from lab.agent.refused import Refused
from lab.agent.services.model import Kind
from lab.frr.model import Bfd, BgpConfig, Neighbor

ORIGIN = "incomplete"
LOCAL_PREFERENCE = 0
"""What MetalLB's own speaker puts into every UPDATE (internal/bgp/messages.go of 0.9.6)."""

FARTHEST = 255
"""Hops that `ebgp-multihop: true` allows."""


def compose(
    settings: Settings,
    vips: Iterable[Announced],
    *,
    node_ip: IPv4Address,
    labels: Labels,
    bfd: Bfd | None,
) -> BgpConfig:
    """A node's BGP as the ConfigMap wants it; without peers none. Refused for a peer that comes
    twice.

    `bfd` is for the peers that name no profile of their own.
    """
    peers = [peer for peer in settings.peers if peer.is_for(labels)]
    if not peers:
        return BgpConfig(asn=0, router_id=node_ip)
    composer = Composer(peers[0].my_asn, peers[0].router_id or node_ip)
    for peer in peers:
        try:
            composer.peer(_neighbor(peer, bfd), peer.my_asn)
        except ValueError as error:
            raise Refused(*CONFIG, [str(error)]) from error
    addresses = [peer.address for peer in peers]
    for vip in vips:
        if vip.kind is not Kind.LOAD_BALANCER:
            continue
        for manner in settings.manners(vip.address):
            attributes = Attributes(manner.communities, local_preference=manner.local_preference)
            composer.tell(manner.prefix(vip.address), addresses, attributes)
    return replace(composer.config(), origin=ORIGIN, local_preference=LOCAL_PREFERENCE)


def _neighbor(peer: Peer, bfd: Bfd | None) -> Neighbor:
    return Neighbor(
        address=peer.address,
        asn=peer.asn,
        update_source=str(peer.source) if peer.source else None,
        password=peer.password,
        port=None if peer.port == 179 else peer.port,
        keepalive=peer.keepalive,
        hold=peer.hold,
        ebgp_multihop=FARTHEST if peer.multihop else None,
        bfd=peer.bfd or bfd,
        families=(peer.address.version,),
    )
