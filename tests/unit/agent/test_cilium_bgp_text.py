"""`cilium bgp ...`: bgpd's answers as the command prints them, and as metrics."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lab.agent.bgp.metrics import session_metrics
from lab.agent.cilium.bgp import advertised_table, available_table, peer_table
from lab.agent.cilium.duration import duration
from lab.agent.cilium.policies import policies, treatments

CONFIGURATION = """\
ip prefix-list to-192.168.1.1-7 seq 5 permit 172.16.10.0/32
!
router bgp 64512
 neighbor 192.168.1.1 remote-as 64512
exit
!
route-map to-192.168.1.1 permit 70
 match ip address prefix-list to-192.168.1.1-7
 set community 64512:100 no-export additive
 set large-community 64512:1:2 additive
 set local-preference 200
exit
!
route-map to-192.168.1.1 permit 65535
exit
!
"""

SUMMARY: dict[str, Any] = {
    "ipv4Unicast": {
        "peers": {
            "192.168.1.2": {"localAs": 64512, "remoteAs": 64999, "state": "Active"},
            "192.168.1.1": {
                "localAs": 64512,
                "remoteAs": 64512,
                "state": "Established",
                "peerUptimeMsec": 2006000,
                "pfxSnt": 1,
            },
        }
    },
    "ipv6Unicast": {
        "peers": {
            "192.168.1.1": {"localAs": 64512, "remoteAs": 64512, "state": "Established"},
            "2001:db8::1": {"localAs": 64512, "remoteAs": 64512, "state": "Idle"},
        }
    },
}
NEIGHBORS: dict[str, Any] = {
    "192.168.1.1": {"portForeign": 1179, "hostLocal": "192.168.1.21"} | {"localAs": 64512},
}
DETAILS: dict[str, Any] = {
    "172.16.10.0/32": {
        "paths": [{"origin": "IGP", "nexthops": [{"ip": "0.0.0.0"}], "lastUpdate": {"epoch": 1000}}]
    }
}


def cells(lines: list[str]) -> list[list[str]]:
    return [re.split(r" {2,}", line) for line in lines]


def test_a_peer_has_a_line_for_each_family() -> None:
    assert peer_table(SUMMARY, NEIGHBORS) == [
        "Local AS   Peer AS   Peer Address        Session       Uptime   Family         Received   "
        "Advertised",
        "64512      64512     192.168.1.1:1179    established   33m26s   ipv4/unicast   0          "
        "1",
        "                                                                ipv6/unicast   0          "
        "0",
        "64512      64999     192.168.1.2:179     active        0s       ipv4/unicast   0          "
        "0",
        "64512      64512     [2001:db8::1]:179   idle          0s       ipv6/unicast   0          "
        "0",
    ]


def test_available_routes_have_an_age() -> None:
    assert cells(available_table("64512", DETAILS, now=1090.4)) == [
        ["VRouter", "Prefix", "NextHop", "Age", "Attrs"],
        ["64512", "172.16.10.0/32", "0.0.0.0", "1m30s", "[{Origin: i} {Nexthop: 0.0.0.0}]"],
    ]


@pytest.mark.parametrize(
    ("remote", "attributes"),
    [
        (
            64512,
            "[{Origin: ?} {AsPath: } {Nexthop: 192.168.1.21} {LocalPref: 200} "
            "{Communities: 64512:100, no-export} {LargeCommunity: [ 64512:1:2]}]",
        ),
        (
            64999,
            "[{Origin: ?} {AsPath: 64512} {Nexthop: 192.168.1.21} "
            "{Communities: 64512:100, no-export} {LargeCommunity: [ 64512:1:2]}]",
        ),
    ],
)
def test_advertised_routes_show_what_the_peer_gets(remote: int, attributes: str) -> None:
    sent = {"nextHop": "0.0.0.0", "locPrf": 200, "path": "", "bgpOriginCode": "?"}
    told = {"192.168.1.1": {"advertisedRoutes": {"172.16.10.0/32": sent}}}
    neighbors = {"192.168.1.1": {**NEIGHBORS["192.168.1.1"], "remoteAs": remote}}
    lines = advertised_table(told, neighbors, DETAILS, treatments(CONFIGURATION), now=1003)
    assert cells(lines)[1] == [
        "64512", "192.168.1.1", "172.16.10.0/32", "192.168.1.21", "3s", attributes,
    ]  # fmt: skip


def test_policies_by_peer_and_prefix() -> None:
    header, first, last = cells(policies(CONFIGURATION))
    assert header[4:6] == ["Match Families", "Match Prefixes (Min..Max Len)"]
    assert first == [
        "64512",
        "to-192.168.1.1-65535",
        "export",
        "192.168.1.1",
        "accept",
    ]
    assert last == [
        "64512",
        "to-192.168.1.1-70",
        "export",
        "192.168.1.1",
        "ipv4/unicast",
        "172.16.10.0/32 (32..32)",
        "accept",
        "{AddCommunities: [64512:100 no-export]} {AddLargeCommunities: [64512:1:2]} "
        "{SetLocalPreference: 200}",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.4, "59s"), (2006, "33m26s"), (3605, "1h0m5s"), (-1, "0s")]
)
def test_spans_of_time(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_metrics_have_the_labels_of_cilium() -> None:
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in session_metrics(SUMMARY, NEIGHBORS)
        for sample in metric.samples
    }
    name = "cilium_bgp_control_plane"
    assert samples[f"{name}_session_state", "64512", "192.168.1.1:1179", "64512"] == 1
    assert samples[f"{name}_session_state", "64512", "192.168.1.2:179", "64999"] == 0
    routes = ("64512", "192.168.1.1:1179", "64512", "ipv4", "unicast")
    advertised, received = (
        (f"{name}_{what}_routes", *routes) for what in ("advertised", "received")
    )
    assert (samples[advertised], samples[received]) == (1, 0)
    assert len(samples) == 3 + 2 * 4
