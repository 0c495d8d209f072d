"""Fields of CiliumBGPPeeringPolicy."""

from __future__ import annotations

from collections.abc import Mapping

from lab.agent.bgp import peering_policy
from lab.frr.model import BgpConfig
from tests.unit.agent.fields.row import EVERYTHING, NO_POOLS, ROUTER, Json, N, Table, facts, row

NEIGHBOR: Json = {"peerAddress": f"{ROUTER}/32", "peerASN": 64512}
RULE: Json = {"selectorType": "CiliumLoadBalancerIPPool"}
POLICY: Json = {
    "virtualRouters": [
        {"localASN": 64512, "neighbors": [NEIGHBOR], "serviceSelector": EVERYTHING},
    ]
}
VR, NB = "virtualRouters.0", "virtualRouters.0.neighbors.0"
PATH = f"{NB}.advertisedPathAttributes.0"

POLICY_ROWS = [
    row("nodeSelector", {"matchLabels": {"rack": "a"}}, f"{N} remote-as 64512"),
    row(f"{VR}.localASN", 64600, "router bgp 64600"),
    row(f"{VR}.exportPodCIDR", True, "network 10.0.1.0/24"),
    row(f"{VR}.podIPPoolSelector", EVERYTHING, refused=NO_POOLS),
    row(f"{VR}.serviceSelector", {"matchLabels": {"app": "db"}},
        without=("network 172.16.10.5/32",)),
    row(f"{VR}.serviceAdvertisements", ["ClusterIP", "ExternalIP"],
        "network 10.96.0.7/32", "network 203.0.113.7/32", without=("network 172.16.10.5/32",)),
    row(f"{NB}.peerAddress", "192.168.1.2/32", "neighbor 192.168.1.2 remote-as 64512"),
    row(f"{NB}.peerPort", 1179, f"{N} port 1179"),
    row(f"{NB}.peerASN", 64999, f"{N} remote-as 64999"),
    row(f"{NB}.authSecretRef", "md5", f"{N} password s3cret"),
    row(f"{NB}.authSecretRef", "other", f"{N} remote-as 64512"),
    row(f"{NB}.eBGPMultihopTTL", 3, f"{N} ebgp-multihop 3"),
    row(f"{NB}.connectRetryTimeSeconds", 5, f"{N} timers connect 5"),
    row(f"{NB}.holdTimeSeconds", 60, f"{N} timers 30 60"),
    row(f"{NB}.holdTimeSeconds", 30, f"{N} timers 30 30"),
    row(f"{NB}.holdTimeSeconds", 9, refused="keepAliveTimeSeconds 30 is more than"),
    row(f"{NB}.keepAliveTimeSeconds", 10, f"{N} timers 10 90"),
    row(f"{NB}.gracefulRestart", {"enabled": True, "restartTimeSeconds": 60},
        f"{N} graceful-restart", "bgp graceful-restart restart-time 60"),
    row(f"{NB}.families", [{"afi": "ipv6", "safi": "unicast"}],
        without=("address-family ipv4 unicast",)),
    row(f"{NB}.families", [{"afi": "l2vpn", "safi": "evpn"}],
        refused="family l2vpn/evpn: the lab announces unicast routes only"),
    row(f"{PATH}.selectorType", "CiliumPodIPPool", refused=NO_POOLS),
    row(f"{PATH}.selectorType", "PodCIDR", f"{N} remote-as 64512"),
    row(PATH, {**RULE, "selector": {"matchLabels": {"pool": "x"}}, "localPreference": 50},
        "set local-preference 50"),
    row(PATH, {**RULE, "communities": {"standard": ["64512:1"], "wellKnown": ["no-export"],
        "large": ["64512:1:2"]}}, "set community 64512:1 no-export additive",
        "set large-community 64512:1:2 additive"),
    row(f"{VR}.neighbors.1", NEIGHBOR, refused=f"{ROUTER} is a peer twice"),
]  # fmt: skip


def by_policy(made: Json) -> BgpConfig:
    config = peering_policy.compose({"p": made}, facts(), None)
    assert config is not None
    return config


TABLES: Mapping[str, Table] = {"policy": Table(by_policy, POLICY, POLICY_ROWS)}
