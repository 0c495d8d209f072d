"""Fields of the resources of version 2: CiliumBGPClusterConfig and what it refers to."""

from __future__ import annotations

from collections.abc import Mapping

from lab.agent.bgp import version2
from lab.agent.bgp.version2 import Advertised, Resources
from lab.frr.model import BgpConfig
from tests.unit.agent.fields.row import (
    EVERYTHING,
    NO_POOLS,
    ROUTER,
    Json,
    N,
    Table,
    facts,
    placed,
    row,
)

VERSION2: Json = {
    "cluster": {
        "bgpInstances": [
            {
                "name": "main",
                "localASN": 64512,
                "peers": [
                    {
                        "name": "r1",
                        "peerASN": 64512,
                        "peerAddress": ROUTER,
                        "peerConfigRef": {"name": "pc"},
                    }
                ],
            }
        ]
    },
    "config": {"families": [{"afi": "ipv4", "safi": "unicast", "advertisements": EVERYTHING}]},
    "advert": {
        "advertisements": [
            {
                "advertisementType": "Service",
                "service": {"addresses": ["LoadBalancerIP"]},
                "selector": EVERYTHING,
            }
        ]
    },
    "override": {"bgpInstances": [{"name": "main", "peers": [{"name": "r1"}]}]},
}
IN, AV = "cluster.bgpInstances.0", "advert.advertisements.0"
OV = "override.bgpInstances.0"
VIP = "network 172.16.10.5/32"

VERSION2_ROWS = [
    row("cluster.nodeSelector", {"matchLabels": {"rack": "a"}}, f"{N} remote-as 64512"),
    row(f"{IN}.name", "other", f"{N} remote-as 64512"),
    row(f"{IN}.localASN", 64600, "router bgp 64600"),
    row(f"{IN}.localASN", None, refused="instance main has no localASN"),
    row(f"{IN}.localPort", 179, f"{N} remote-as 64512"),
    row(f"{IN}.localPort", 1179, refused="localPort 1179: the node's FRR listens on 179 only"),
    row(f"{IN}.peers.0.name", "other", f"{N} remote-as 64512"),
    row(f"{IN}.peers.0.peerAddress", "192.168.1.2", "neighbor 192.168.1.2 remote-as 64512"),
    row(f"{IN}.peers.0.peerAddress", None, refused="peer r1: it has no peerAddress"),
    row(f"{IN}.peers.0.peerASN", 64999, f"{N} remote-as 64999"),
    row(f"{IN}.peers.0.peerASN", 0, refused="0 for any is not supported"),
    row(f"{IN}.peers.0.peerConfigRef", {"name": "none"}, without=(f"{N} remote-as 64512", VIP)),
    row(f"{IN}.peers.0.peerConfigRef", {"name": "pc", "kind": "Pod"}, refused="kind Pod"),
    row(f"{IN}.peers.1", {"name": "r2", "peerASN": 1, "peerAddress": ROUTER},
        refused=f"peer r2: {ROUTER} is a peer twice"),
    row("config.transport.peerPort", 1179, f"{N} port 1179"),
    row("config.transport.localPort", 1179, refused="FRR lets the kernel choose the port"),
    row("config.timers.connectRetryTimeSeconds", 5, f"{N} timers connect 5"),
    row("config.timers.holdTimeSeconds", 60, f"{N} timers 30 60"),
    row("config.timers.keepAliveTimeSeconds", 10, f"{N} timers 10 90"),
    row("config.timers.keepAliveTimeSeconds", 91, refused="is more than holdTimeSeconds 90"),
    row("config.authSecretRef", "md5", f"{N} password s3cret"),
    row("config.gracefulRestart", {"enabled": True, "restartTimeSeconds": 60},
        f"{N} graceful-restart", "bgp graceful-restart restart-time 60"),
    row("config.ebgpMultihop", 255, f"{N} ebgp-multihop 255"),
    row("config.families", [{"afi": "ls", "safi": "unicast"}], refused="family ls/unicast"),
    row("config.families", [{"afi": "ipv4", "safi": "mpls"}], refused="family ipv4/mpls"),
    row("config.families", [{"afi": "ipv4", "safi": "unicast"}], without=(VIP,)),
    row(f"{AV}.advertisementType", "PodCIDR", "network 10.0.1.0/24", without=(VIP,)),
    row(f"{AV}.advertisementType", "CiliumPodIPPool", refused=NO_POOLS),
    row(f"{AV}.service.addresses", ["ClusterIP"], "network 10.96.0.7/32", without=(VIP,)),
    row(f"{AV}.service.aggregationLengthIPv4", 24, "network 172.16.10.0/24", without=(VIP,)),
    row(f"{AV}.selector", {"matchLabels": {"app": "db"}}, without=(VIP,)),
    row(f"{AV}.attributes.localPreference", 150, "set local-preference 150"),
    row(f"{AV}.attributes.communities.standard", ["64512:1"], "set community 64512:1 additive"),
    row(f"{AV}.attributes.communities.wellKnown", ["planned-shut"],
        "set community graceful-shutdown additive"),
    row(f"{AV}.attributes.communities.large", ["1:2:3"], "set large-community 1:2:3 additive"),
    row(f"{AV}.attributes.communities.large", ["1:2"], refused="'1:2' is no community"),
    row(f"{OV}.routerID", "10.9.9.9", "bgp router-id 10.9.9.9"),
    row(f"{OV}.localASN", 64700, "router bgp 64700"),
    row(f"{OV}.localPort", 1179, refused="localPort 1179"),
    row(f"{OV}.peers.0.localAddress", "192.168.1.99", f"{N} update-source 192.168.1.99"),
    row(f"{OV}.peers.0.localPort", 1179, refused="FRR lets the kernel choose the port"),
]  # fmt: skip
SIX = [{"afi": "ipv6", "safi": "unicast", "advertisements": EVERYTHING}]
AGGREGATED6 = row(f"{AV}.service.aggregationLengthIPv6", 112, "network 2001:db8:172::/112")
DISCOVERED = row(
    f"{IN}.peers.0.autoDiscovery",
    {"mode": "DefaultGateway", "defaultGateway": {"addressFamily": "ipv4"}},
    "neighbor 192.168.1.254 remote-as 64512",
)


def by_version2(made: Json) -> BgpConfig:
    resources = Resources(
        clusters={"c": made["cluster"]},
        peers={"pc": made["config"]},
        advertisements={"a": Advertised({}, made["advert"])},
        overrides={"n1": made["override"]},
    )
    config = version2.compose(resources, facts(), None)
    assert config is not None
    return config


TABLES: Mapping[str, Table] = {
    "version2": Table(by_version2, VERSION2, VERSION2_ROWS),
    "version2-6": Table(by_version2, placed(VERSION2, "config.families", SIX), [AGGREGATED6]),
    "version2-gateway": Table(
        by_version2, placed(VERSION2, f"{IN}.peers.0.peerAddress", None), [DISCOVERED]
    ),
}
