"""A node's BGP put together from what several objects say of its peers and prefixes. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from lab.frr.model import (
    Address,
    Advertisement,
    BgpConfig,
    GracefulRestart,
    Neighbor,
    Prefix,
)


@dataclass(frozen=True)
class Attributes:
    """What a prefix is sent with."""

    communities: frozenset[str] = frozenset()
    large_communities: frozenset[str] = frozenset()
    local_preference: int | None = None

    def merged(self, other: Attributes) -> Attributes:
        """For two objects that both announce a prefix: all communities, the greater preference."""
        preferences = [
            each.local_preference for each in (self, other) if each.local_preference is not None
        ]
        return Attributes(
            self.communities | other.communities,
            self.large_communities | other.large_communities,
            max(preferences, default=None),
        )


class Composer:
    """Collects peers, and what each of them is told; `config` is the whole.

    FRR runs one instance: all sessions share `asn`, and a peer that is to see another one sees
    that as the node's local AS.
    """

    def __init__(self, asn: int, router_id: IPv4Address) -> None:
        self._asn = asn
        self._router_id = router_id
        self._neighbors: dict[Address, Neighbor] = {}
        self._told: dict[Prefix, dict[Address, Attributes]] = defaultdict(dict)
        self._restart_time: int | None = None

    def peer(self, neighbor: Neighbor, asn: int) -> None:
        """Add a session in which the node is `asn`; ValueError for a second one with an address."""
        if neighbor.address in self._neighbors:
            raise ValueError(f"{neighbor.address} is a peer twice: FRR has one session with each")
        local = None if asn == self._asn else asn
        self._neighbors[neighbor.address] = replace(neighbor, local_asn=local)

    def graceful_restart(self, seconds: int) -> None:
        """Peers keep routes for so long while bgpd restarts; the longest wish counts."""
        self._restart_time = max(seconds, self._restart_time or 0)

    def tell(self, prefix: Prefix, peers: Iterable[Address], attributes: Attributes) -> None:
        """Announce a prefix to those of some peers whose sessions carry its family."""
        told = self._told[prefix]
        for peer in (each for each in peers if prefix.version in self._neighbors[each].families):
            told[peer] = told[peer].merged(attributes) if peer in told else attributes

    def config(self) -> BgpConfig:
        advertisements = [
            advertisement
            for prefix in sorted(self._told, key=lambda each: (each.version, each))
            for advertisement in self._advertisements(prefix)
        ]
        restart = GracefulRestart(self._restart_time) if self._restart_time else None
        return BgpConfig(
            asn=self._asn,
            router_id=self._router_id,
            neighbors=tuple(self._neighbors.values()),
            advertisements=tuple(advertisements),
            graceful_restart=restart,
        )

    def _advertisements(self, prefix: Prefix) -> Iterable[Advertisement]:
        """One for each way of announcing the prefix, usually a single one to all peers whose
        sessions carry its family.
        """
        able = {a for a, each in self._neighbors.items() if prefix.version in each.families}
        ways: dict[Attributes, set[Address]] = defaultdict(set)
        for peer, attributes in self._told[prefix].items():
            ways[attributes].add(peer)
        for attributes, peers in ways.items():
            yield Advertisement(
                prefix,
                communities=attributes.communities,
                large_communities=attributes.large_communities,
                local_preference=attributes.local_preference,
                neighbors=None if peers == able else frozenset(peers),
            )
