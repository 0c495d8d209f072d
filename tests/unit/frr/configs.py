"""BGP configurations that the tests share: the article's, and one with everything in it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from lab.frr.model import Advertisement, Bfd, BgpConfig, GracefulRestart, Neighbor

ROUTER = IPv4Address("192.168.1.1")
VIP = IPv4Network("172.16.10.0/32")
OTHER_VIP = IPv4Network("172.16.10.1/32")

PLAIN = BgpConfig(
    asn=64512,
    router_id=IPv4Address("192.168.1.21"),
    neighbors=(Neighbor(ROUTER, 64512),),
    advertisements=(Advertisement(VIP),),
)

SECOND = IPv4Address("192.168.1.2")
SIXTH = IPv6Address("2001:db8:1::1")

RICH = BgpConfig(
    asn=64521,
    router_id=IPv4Address("192.168.1.21"),
    neighbors=(
        Neighbor(
            ROUTER,
            64512,
            description="the router",
            update_source="192.168.1.21",
            local_asn=64600,
            password="sesame",
            port=1179,
            keepalive=1,
            hold=3,
            connect_retry=5,
            ebgp_multihop=3,
            bfd=Bfd(multiplier=5, interval=50, minimum_ttl=253, echo_interval=80, passive=True),
            graceful_restart=True,
            maximum_prefixes=100,
        ),
        Neighbor(SECOND, 64521, passive=True, graceful_restart=False),
        Neighbor(SIXTH, 64512, ttl_security_hops=1, families=(4, 6), bfd=Bfd()),
    ),
    advertisements=(
        Advertisement(
            VIP,
            communities=frozenset({"64512:100", "no-export"}),
            large_communities=frozenset({"64512:1:2"}),
            local_preference=150,
        ),
        Advertisement(OTHER_VIP, neighbors=frozenset({ROUTER})),
        Advertisement(IPv6Network("2001:db8:10::/128"), communities=frozenset({"64512:100"})),
        Advertisement(IPv4Network("172.16.10.64/26")),
    ),
    graceful_restart=GracefulRestart(restart_time=30),
    origin="incomplete",
    local_preference=0,
)
