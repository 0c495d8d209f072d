"""Fields of MetalLB's ConfigMap."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from lab.agent.bgp import metallb, metallb_config
from lab.frr.model import BgpConfig
from tests.unit.agent.fields.row import ROUTER, VIPS, Json, N, Table, facts, placed, row

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


TABLES: Mapping[str, Table] = {
    "metallb": Table(by_config_map, METALLB, METALLB_ROWS),
    "metallb-bfd": Table(by_config_map, QUICK, BFD_ROWS),
    "metallb-ebgp": Table(by_config_map, {**METALLB, "peers": [EBGP]}, [MULTIHOP]),
    "metallb-echo": Table(by_config_map, placed(QUICK, f"{BFD}.echo-mode", True), [ECHO]),
    "metallb-6": Table(by_config_map, METALLB6, METALLB6_ROWS),
}
