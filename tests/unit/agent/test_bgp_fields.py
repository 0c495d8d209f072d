"""Every field of every resource that configures BGP: what FRR is told, or why it is refused.

A row has the object with one field in it. `frr` are lines that the node's configuration then has
(and has not without it), `refused` is what the object's events say. A field that is in neither
list would make `test_no_field_is_forgotten` fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from itertools import pairwise
from typing import Any

import pytest
import yaml

from lab.agent.bgp import metallb, metallb_config, peering_policy, version2
from lab.agent.bgp.announce import Announced
from lab.agent.bgp.facts import Facts, pool_of
from lab.agent.bgp.refused import Refused
from lab.agent.bgp.version2 import Advertised, Resources
from lab.agent.services.model import Kind
from lab.frr.model import BgpConfig
from lab.frr.node import node_tree
from lab.frr.tree import text
from lab.operator import cilium_crds
from tests.unit.agent.objects import service

Json = dict[str, Any]
ROUTER = "192.168.1.1"
VIPS = [
    Announced(IPv4Address("172.16.10.5"), service(labels={"app": "web"}), False),
    Announced(IPv4Address("10.96.0.7"), service(), False, Kind.CLUSTER_IP),
    Announced(IPv4Address("203.0.113.7"), service(), False, Kind.EXTERNAL_IPS),
    Announced(IPv6Address("2001:db8:172::7"), service(), False),
]
EVERYTHING: Json = {"matchExpressions": [{"key": "no", "operator": "DoesNotExist"}]}


@dataclass(frozen=True)
class Row:
    """A field's path, its value, and what becomes of it."""

    field: str
    value: Any
    frr: tuple[str, ...] = ()
    refused: str = ""
    without: tuple[str, ...] = ()
    """Lines that the field takes away."""


def row(field: str, value: Any, *frr: str, **more: Any) -> Row:
    return Row(field, value, frr, **more)


def placed(base: Json, path: str, value: Any) -> Json:
    """A copy of an object with a value at a path such as `peers.0.hold-time`."""
    made = deepcopy(base)
    place: Any = made
    *_, last = path.split(".")
    for step, following in pairwise(path.split(".")):
        if step.isdigit():
            while len(place) <= int(step):
                place.append({})
            place = place[int(step)]
        else:
            place = place.setdefault(step, [] if following.isdigit() else {})
    if isinstance(place, list):
        place.append(value)
    else:
        place[last] = value
    return made


def lines(config: BgpConfig | None) -> set[str]:
    assert config is not None
    return {line.strip() for line in text(node_tree(config)).splitlines()}


def facts(**more: Any) -> Facts:
    pools = [pool_of({"pool": "x"}, {"blocks": [{"cidr": "172.16.10.0/24"}]})]
    given: Json = {"labels": {"rack": "a"}, "services": VIPS, "pools": pools}
    given |= {"passwords": {"md5": "s3cret"}, "gateway": IPv4Address("192.168.1.254"), **more}
    return Facts("n1", IPv4Address("192.168.1.21"), [IPv4Network("10.0.1.0/24")], **given)


N = f"neighbor {ROUTER}"
PEER: Json = {"peer-address": ROUTER, "peer-asn": 64512, "my-asn": 64512}
EBGP: Json = {**PEER, "peer-asn": 64999}
POOL: Json = {"name": "default", "protocol": "bgp", "addresses": ["172.16.10.0/24"]}
METALLB: Json = {
    "peers": [PEER],
    "address-pools": [POOL],
    "bgp-communities": {"customers": "64512:7"},
    "bfd-profiles": [{"name": "quick", "transmit-interval": 50, "receive-interval": 50}],
}
AD, BFD = "address-pools.0.bgp-advertisements.0", "bfd-profiles.0"
QUICK: Json = {**METALLB, "peers": [{**PEER, "bfd-profile": "quick"}]}

METALLB_ROWS = [
    row("peers.0.my-asn", 64600, f"{N} remote-as 64512", "router bgp 64600"),
    row("peers.0.my-asn", 0, refused="my-asn 0 is no number from 1 to 4294967295"),
    row("peers.0.peer-asn", 64999, f"{N} remote-as 64999"),
    row("peers.0.peer-address", "192.168.1.2", "neighbor 192.168.1.2 remote-as 64512"),
    row("peers.0.peer-address", "router", refused="peer 1: 'router' does not appear to be"),
    row("peers.0.peer-address", "2001:db8:1::1", "neighbor 2001:db8:1::1 remote-as 64512",
        "address-family ipv6 unicast", without=("network 172.16.10.5/32",)),
    row("peers.0.source-address", "192.168.1.21", f"{N} update-source 192.168.1.21"),
    row("peers.0.peer-port", 1179, f"{N} port 1179"),
    row("peers.0.peer-port", 70000, refused="peer-port 70000 is no number from 1 to 65535"),
    row("peers.0.hold-time", "9s", f"{N} timers 3 9"),
    row("peers.0.hold-time", "0s", f"{N} timers 0 0"),
    row("peers.0.hold-time", "2s", refused="hold-time 2s is neither 0 nor at least 3s"),
    row("peers.0.keepalive-time", "5s", f"{N} timers 5 90"),
    row("peers.0.keepalive-time", "2m", refused="keepalive-time 120s is longer than hold-time 90s"),
    row("peers.0.router-id", "10.1.1.1", "bgp router-id 10.1.1.1"),
    row("peers.0.node-selectors.0.match-labels", {"rack": "a"}, f"{N} remote-as 64512"),
    row("peers.0.node-selectors.0.match-labels", {"rack": "b"}, without=(f"{N} remote-as 64512",)),
    row(
        "peers.0.node-selectors.0.match-expressions",
        [{"key": "rack", "operator": "In", "values": ["b"]}],
        without=(f"{N} remote-as 64512",),
    ),
    row(
        "peers.0.node-selectors.0.match-expressions",
        [{"key": "rack", "operator": "Is"}],
        refused="operator 'Is': use In, NotIn, Exists, DoesNotExist",
    ),
    row("peers.0.password", "s3cret", f"{N} password s3cret"),
    row("peers.0.ebgp-multihop", True, refused="ebgp-multihop is not for iBGP"),
    row("peers.0.bfd-profile", "quick", f"{N} bfd profile 3x50", "transmit-interval 50"),
    row("peers.0.bfd-profile", "slow", refused="there is no BFD profile 'slow'"),
    row("peers.0.hold-tme", "9s", refused="peer 1: there is no field 'hold-tme'"),
    row("peers.1", PEER, refused=f"more than one peer of all nodes has the peer-address {ROUTER}"),
    row("bgp-communities", {"x": "n"}, refused="community 'x': 'n' is not of the form n:n"),
    row("address-pools.0.protocol", "layer2", without=("network 172.16.10.5/32",)),
    row("address-pools.0.protocol", "ospf", refused="protocol 'ospf' is neither bgp nor layer2"),
    row("address-pools.0.addresses", ["172.16.10.0-172.16.10.4"],
        without=("network 172.16.10.5/32",)),
    row("address-pools.0.avoid-buggy-ips", True, "network 172.16.10.5/32"),
    row("address-pools.0.auto-assign", False, "network 172.16.10.5/32"),
    row(f"{AD}.aggregation-length", 26, "network 172.16.10.0/26"),
    row(f"{AD}.aggregation-length", 23, refused="would announce more than 172.16.10.0/24"),
    row(f"{AD}.aggregation-length-v6", 120, "network 172.16.10.5/32"),
    row(f"{AD}.aggregation-length-v6", 129, refused="aggregation-length-v6 129 is no number"),
    row(f"{AD}.localpref", 150, "set local-preference 150"),
    row(f"{AD}.localpref", -1, refused="localpref -1 is no number from 0"),
    row(f"{AD}.communities", ["64512:1", "customers"],
        "set community 64512:1 64512:7 additive"),
    row(f"{AD}.communities", ["65536:1"], refused="'65536:1' is no community (n:n)"),
]  # fmt: skip

BFD_ROWS = [
    row(f"{BFD}.receive-interval", 70, "receive-interval 70"),
    row(f"{BFD}.transmit-interval", 60, "transmit-interval 60"),
    row(f"{BFD}.transmit-interval", 5, refused="transmit-interval 5 is no number from 10 to 60000"),
    row(f"{BFD}.detect-multiplier", 5, "detect-multiplier 5"),
    row(f"{BFD}.echo-mode", True, "echo-mode"),
    row(f"{BFD}.passive-mode", True, "passive-mode"),
    row(f"{BFD}.minimum-ttl", 254, "minimum-ttl 254"),
]

MULTIHOP = row("peers.0.ebgp-multihop", True, f"{N} ebgp-multihop 255")
ECHO = row(f"{BFD}.echo-interval", 80, "echo transmit-interval 80")


METALLB6: Json = {
    "peers": [{**PEER, "peer-address": "2001:db8:1::1"}],
    "address-pools": [{**POOL, "addresses": ["2001:db8:172::/112"]}],
}
METALLB6_ROWS = [
    row("peers.0.my-asn", 64512, "network 2001:db8:172::7/128"),
    row(f"{AD}.aggregation-length-v6", 120, "network 2001:db8:172::/120"),
    row(f"{AD}.aggregation-length-v6", 111, refused="would announce more than 2001:db8:172::/112"),
]


def by_config_map(made: Json) -> BgpConfig:
    settings = metallb_config.parse(yaml.safe_dump(made))
    about = facts()
    return metallb.compose(settings, VIPS, node_ip=about.address, labels=about.labels, bfd=None)


NEIGHBOR: Json = {"peerAddress": f"{ROUTER}/32", "peerASN": 64512}
RULE: Json = {"selectorType": "CiliumLoadBalancerIPPool"}
POLICY: Json = {
    "virtualRouters": [
        {"localASN": 64512, "neighbors": [NEIGHBOR], "serviceSelector": EVERYTHING},
    ]
}
VR, NB = "virtualRouters.0", "virtualRouters.0.neighbors.0"
PATH = f"{NB}.advertisedPathAttributes.0"
NO_POOLS = "the lab has no pools of pod addresses"

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


TABLES: Mapping[str, tuple[Any, Json, list[Row]]] = {
    "metallb": (by_config_map, METALLB, METALLB_ROWS),
    "metallb-bfd": (by_config_map, QUICK, BFD_ROWS),
    "metallb-ebgp": (by_config_map, {**METALLB, "peers": [EBGP]}, [MULTIHOP]),
    "metallb-echo": (by_config_map, placed(QUICK, f"{BFD}.echo-mode", True), [ECHO]),
    "policy": (by_policy, POLICY, POLICY_ROWS),
    "version2": (by_version2, VERSION2, VERSION2_ROWS),
    "metallb-6": (by_config_map, METALLB6, METALLB6_ROWS),
    "version2-6": (by_version2, placed(VERSION2, "config.families", SIX), [AGGREGATED6]),
    "version2-gateway": (
        by_version2, placed(VERSION2, f"{IN}.peers.0.peerAddress", None), [DISCOVERED],
    ),
}  # fmt: skip


def cases() -> Iterator[Any]:
    for table, (_, _, rows) in TABLES.items():
        for number, each in enumerate(rows):
            yield pytest.param(table, each, id=f"{table}-{number}-{each.field}")


@pytest.mark.parametrize(("table", "each"), list(cases()))
def test_a_field_is_honoured_or_refused(table: str, each: Row) -> None:
    compose, base, _ = TABLES[table]
    made = placed(base, each.field, each.value)
    if each.refused:
        with pytest.raises(Refused) as caught:
            compose(made)
        assert each.refused in str(caught.value)
        return
    after = lines(compose(made))
    assert set(each.frr) <= after
    assert not set(each.without) & after


def _leaves(schema: Json, path: str = "") -> Iterator[str]:
    """Dotted paths of a schema's fields; selectors and what stands by itself are leaves."""
    properties = schema.get("properties") or {}
    if schema.get("type") == "array":
        yield from _leaves(schema["items"], path)
    elif not properties or "matchLabels" in properties:
        yield path
    else:
        for name, inner in properties.items():
            yield from _leaves(inner, f"{path}.{name}".lstrip("."))


def _spec(kind: str) -> set[str]:
    found = next(d for d in cilium_crds.definitions() if d["spec"]["names"]["kind"] == kind)
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return set(_leaves(schema["properties"]["spec"]))


KINDS = {
    "CiliumBGPPeeringPolicy": ("policy", ""),
    "CiliumBGPClusterConfig": ("version2", "cluster."),
    "CiliumBGPPeerConfig": ("version2", "config."),
    "CiliumBGPAdvertisement": ("version2", "advert."),
    "CiliumBGPNodeConfigOverride": ("version2", "override."),
}


ELSEWHERE = {kind: set[str]() for kind in KINDS} | {
    # The group of the one kind that there is.
    "CiliumBGPClusterConfig": {"bgpInstances.peers.peerConfigRef.group"},
}
"""Fields without a row here."""


def _parts(prefix: str, value: Any) -> Iterator[str]:
    """The paths that a value written at a path covers."""
    if isinstance(value, dict) and not {"matchLabels", "matchExpressions"} & set(value):
        for name, inner in value.items():
            yield from _parts(f"{prefix}.{name}", inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _parts(prefix, value[0])
    else:
        yield prefix


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_is_forgotten(kind: str) -> None:
    """The schema that the API server refuses unknown fields by has no field without a row."""
    table, prefix = KINDS[kind]
    tables = (TABLES[name] for name in TABLES if name.startswith(table))
    rows = [each for _, _, found in tables for each in found]
    written = {
        path.removeprefix(prefix)
        for each in rows
        if each.field.startswith(prefix)
        for path in _parts(
            ".".join(p for p in each.field.split(".") if not p.isdigit()), each.value
        )
    }
    base = TABLES[table][1]
    given = set(_parts("", base if table == "policy" else base[prefix.rstrip(".")]))
    covered = written | {path.lstrip(".") for path in given}
    assert _spec(kind) - covered == ELSEWHERE[kind]
