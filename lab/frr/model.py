"""BGP as an operator configures it on a node: neighbors, what is announced to them, and how."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Bfd:
    """Failure detection (RFC 5880): a neighbor is down after `multiplier` intervals of silence."""

    multiplier: int = 3
    interval: int = 300
    """Milliseconds between packets that are sent: FRR takes 10 to 60000."""
    receive_interval: int | None = None
    """Milliseconds between packets that are wanted of the peer; None: the same."""
    minimum_ttl: int | None = None
    """For sessions over several hops: the lowest TTL that is believed."""
    echo_interval: int | None = None
    """Milliseconds between echo packets, which the peer's kernel turns round; None: no echo."""
    passive: bool = False
    """The peer begins."""

    @property
    def profile(self) -> str:
        """Name of the FRR profile with these values."""
        words = [
            f"{self.multiplier}x{self.interval}",
            self.receive_interval and f"rx{self.receive_interval}",
            self.echo_interval and f"echo{self.echo_interval}",
            self.passive and "passive",
            self.minimum_ttl and f"ttl{self.minimum_ttl}",
        ]
        return "-".join(word for word in words if word)


@dataclass(frozen=True)
class Neighbor:
    """A BGP peer. Times are in seconds; None leaves FRR's own default."""

    address: Address
    asn: int
    description: str = ""
    update_source: str | None = None
    """Address or interface that the session is opened from."""
    local_asn: int | None = None
    """AS number shown to this peer instead of the node's own."""
    password: str | None = None
    """TCP MD5 signature (RFC 2385)."""
    port: int | None = None
    keepalive: int = 30
    hold: int = 90
    connect_retry: int = 1
    ebgp_multihop: int | None = None
    ttl_security_hops: int | None = None
    """GTSM (RFC 5082): the peer is at most so many hops away. Excludes ebgp_multihop."""
    passive: bool = False
    bfd: Bfd | None = None
    graceful_restart: bool | None = None
    """Overrides the node's setting for this peer."""
    families: tuple[int, ...] = (4,)
    """IP versions whose routes the session carries."""
    maximum_prefixes: int | None = None


@dataclass(frozen=True)
class Advertisement:
    """A prefix that the node announces, with the attributes it gets on the way."""

    prefix: Prefix
    communities: frozenset[str] = frozenset()
    """Standard (`64512:100`) and well-known (`no-export`) ones, RFC 1997."""
    large_communities: frozenset[str] = frozenset()
    """`64512:1:2`, RFC 8092."""
    local_preference: int | None = None
    """Sent to iBGP peers only (RFC 4271, section 5.1.5)."""
    neighbors: frozenset[Address] | None = None
    """The peers that hear of it; None: all."""


@dataclass(frozen=True)
class GracefulRestart:
    """Peers keep the routes of a node whose bgpd restarts (RFC 4724)."""

    restart_time: int = 120
    """Seconds that peers wait for the session to come back."""


@dataclass(frozen=True)
class BgpConfig:
    """All of a node's BGP. Without neighbors nothing is configured at all."""

    asn: int
    router_id: IPv4Address
    neighbors: tuple[Neighbor, ...] = ()
    advertisements: tuple[Advertisement, ...] = ()
    graceful_restart: GracefulRestart | None = None
    origin: str = "igp"
    """ORIGIN of all that the node announces (RFC 4271, section 5.1.1): igp, egp or incomplete."""
    local_preference: int = 100
    """Sent to iBGP peers with what has none of its own."""
    address6: IPv6Address | None = None
    """Next hop of what is announced on IPv6 sessions; None leaves it to bgpd. That forgets its own
    address when zebra reports the interface down (`bgp_interface_address_delete` in FRR's
    bgpd/bgp_zebra.c), and then announces `::ffff:` with the IPv4 one for as long as the session
    lasts: a peer can install no route of a prefix that has such a next hop among its own.
    """
