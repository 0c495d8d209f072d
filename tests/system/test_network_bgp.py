"""FRR on the article's network: sessions, announcements, policy, failure detection."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from lab.frr.answers import bfd_sessions, peers
from lab.frr.model import Advertisement, Bfd, BgpConfig, Neighbor
from lab.sandbox.handle import Lab
from lab.topology import load, resolve
from lab.topology.plan import Plan, PlannedNode
from lab.wait import until
from tests.unit.frr.configs import RICH

from .wires import apply, nothing_is_held_back, running

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
]

ROUTER = "bgp-router1"
VIP = "172.16.10.0"
SUMMARY = "show bgp summary json"
WITHIN = 15.0
"""Seconds; a bound for loaded machines."""

BFD = Bfd(5, 200)
"""A second of silence: shorter ones end by themselves where tests crowd the processors."""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return resolve(load("basic", bfd="5x200"))


@pytest.fixture(scope="module")
def lab(plan: Plan) -> Iterator[Lab]:
    with running(plan, "bgp") as started:
        yield started


@pytest.fixture
def speaking(lab: Lab, plan: Plan) -> Iterator[dict[str, BgpConfig]]:
    """All nodes announce the VIP; afterwards they are silent again."""
    configs = {node.name: config(node, VIP) for node in plan.kube_nodes}
    for name, wanted in configs.items():
        apply(lab, name, wanted)
    next_hops(lab, VIP, addresses(plan))
    yield configs
    for name, wanted in configs.items():
        apply(lab, name, replace(wanted, neighbors=()))


def config(node: PlannedNode, *vips: str) -> BgpConfig:
    return BgpConfig(
        asn=64512,
        router_id=node.address,
        neighbors=(Neighbor(IPv4Address("192.168.1.1"), 64512, bfd=BFD),),
        advertisements=tuple(Advertisement(IPv4Network(vip)) for vip in vips),
    )


def addresses(plan: Plan) -> set[str]:
    return {str(node.address) for node in plan.kube_nodes}


def routes(lab: Lab, prefix: str) -> set[str]:
    """Next hops of the kernel's route on the router."""
    found = lab.node(ROUTER).run(["ip", "-j", "route", "show", prefix]).json()
    hops = {hop["gateway"] for route in found for hop in route.get("nexthops", [])}
    return hops | {route["gateway"] for route in found if "gateway" in route}


def next_hops(lab: Lab, prefix: str, wanted: set[str]) -> None:
    until(
        lambda: routes(lab, prefix),
        wanted.__eq__,
        within=WITHIN,
        what=f"next hops of {prefix}",
        wanted=wanted,
    )


def bfd_is_up(lab: Lab) -> None:
    """Only then a lost node is noticed at once; sessions begin at one packet a second."""
    until(
        lambda: [s.up for s in bfd_sessions(lab.vtysh(ROUTER, "show bfd peers json").json())],
        lambda seen: seen == [True] * 6,
        within=WITHIN,
        what="BFD sessions",
        wanted="six, all up",
    )


def test_before_the_agents_run_the_router_waits_for_six_neighbors(lab: Lab, plan: Plan) -> None:
    lines = lab.vtysh(ROUTER, "show bgp summary").out.splitlines()
    assert "BGP router identifier 192.168.1.1, local AS number 64512 vrf-id 0" in lines
    rows = [line.split() for line in lines if line.startswith("192.168.1.")]
    assert {row[0] for row in rows} == addresses(plan)
    assert not [row for row in rows if row[9].isdigit()], "no session is up"
    assert "Total number of neighbors 6" in lines


@pytest.mark.usefixtures("speaking")
def test_six_nodes_announce_one_address(lab: Lab, plan: Plan) -> None:
    found = peers(lab.vtysh(ROUTER, SUMMARY).json())
    assert [(peer.established, peer.received, peer.sent) for peer in found] == [(True, 1, 0)] * 6
    (route,) = lab.node(ROUTER).run(["ip", "-j", "route", "show", VIP]).json()
    assert (route["protocol"], route["metric"]) == ("bgp", 20)
    assert {hop["dev"] for hop in route["nexthops"]} == {"enp7s0"}
    assert len(route["nexthops"]) == 6


def test_withdrawing_takes_the_next_hop_away_and_no_session_down(
    lab: Lab, plan: Plan, speaking: dict[str, BgpConfig]
) -> None:
    silent = replace(speaking["k8s-worker3"], advertisements=())
    assert f"no network {VIP}/32" in apply(lab, "k8s-worker3", silent)
    next_hops(lab, VIP, addresses(plan) - {"192.168.1.23"})
    assert all(peer.established for peer in peers(lab.vtysh(ROUTER, SUMMARY).json()))
    nothing_is_held_back(lab, "k8s-worker3", silent)
    assert f"network {VIP}/32" in apply(lab, "k8s-worker3", speaking["k8s-worker3"])
    next_hops(lab, VIP, addresses(plan))


def test_a_vip_taken_back_and_announced_again_at_once_is_there(
    lab: Lab, plan: Plan, speaking: dict[str, BgpConfig]
) -> None:
    for _ in range(3):
        apply(lab, "k8s-worker3", replace(speaking["k8s-worker3"], advertisements=()))
        apply(lab, "k8s-worker3", speaking["k8s-worker3"])
    next_hops(lab, VIP, addresses(plan))
    nothing_is_held_back(lab, "k8s-worker3", speaking["k8s-worker3"])


def test_only_host_routes_out_of_the_pool_are_believed(
    lab: Lab, plan: Plan, speaking: dict[str, BgpConfig]
) -> None:
    foreign = ("8.8.8.8", "172.16.11.1", "172.16.10.0/24", "192.168.10.0/25")
    apply(lab, "k8s-worker1", config(plan.node("k8s-worker1"), VIP, *foreign, "172.16.10.7"))
    next_hops(lab, "172.16.10.7", {"192.168.1.21"})
    assert [routes(lab, prefix) for prefix in foreign] == [set()] * 4


LEAK = (
    "router bgp 64512",
    "no bgp network import-check",
    "address-family ipv4 unicast",
    "network 9.9.9.0/24",
    "no neighbor 192.168.1.21 route-map nothing out",
)
PLUG = (
    "router bgp 64512",
    "bgp network import-check",
    "address-family ipv4 unicast",
    "no network 9.9.9.0/24",
    "neighbor 192.168.1.21 route-map nothing out",
)


def configure(lab: Lab, *lines: str) -> None:
    words = [word for line in ("configure terminal", *lines) for word in ("-c", line)]
    lab.node(ROUTER).run(["vtysh", *words])


@pytest.mark.usefixtures("speaking")
def test_a_node_learns_nothing_by_bgp(lab: Lab) -> None:
    configure(lab, *LEAK)
    try:
        sent = until(
            lambda: {str(p.address): p.sent for p in peers(lab.vtysh(ROUTER, SUMMARY).json())},
            lambda seen: seen["192.168.1.21"] > 0,
            within=WITHIN,
            what="a prefix from the router to worker1",
        )
        assert sent["192.168.1.22"] == 0
        known = lab.vtysh("k8s-worker1", "show bgp ipv4 unicast json").json()["routes"]
        assert set(known) == {f"{VIP}/32"}
    finally:
        configure(lab, *PLUG)


def test_a_lost_link_is_noticed_by_bfd_and_comes_back(
    lab: Lab, plan: Plan, speaking: dict[str, BgpConfig]
) -> None:
    bfd_is_up(lab)
    lab.ask("link", node="k8s-worker2", interface="eth0", up=False)
    next_hops(lab, VIP, addresses(plan) - {"192.168.1.22"})
    lab.ask("link", node="k8s-worker2", interface="eth0", up=True)
    next_hops(lab, VIP, addresses(plan))


def test_a_node_that_returns_announces_again(
    lab: Lab, plan: Plan, speaking: dict[str, BgpConfig]
) -> None:
    bfd_is_up(lab)
    lab.ask("crash", node="k8s-worker4")
    next_hops(lab, VIP, addresses(plan) - {"192.168.1.24"})
    lab.ask("boot", node="k8s-worker4")
    apply(lab, "k8s-worker4", speaking["k8s-worker4"])
    next_hops(lab, VIP, addresses(plan))


def test_changed_timers_take_effect(lab: Lab, plan: Plan, speaking: dict[str, BgpConfig]) -> None:
    usual = speaking["k8s-worker5"]
    (neighbor,) = usual.neighbors
    hurried = replace(usual, neighbors=(replace(neighbor, keepalive=3, hold=9),))
    assert apply(lab, "k8s-worker5", hurried)[-1] == "clear bgp 192.168.1.1"
    until(
        lambda: lab.vtysh(ROUTER, "show bgp neighbors 192.168.1.25 json").json()["192.168.1.25"],
        lambda told: told["bgpState"] == "Established" and told["bgpTimerHoldTimeMsecs"] == 9000,
        within=WITHIN,
        what="the session with worker5",
        wanted="up, with a hold time of 9 s",
    )
    next_hops(lab, VIP, addresses(plan))
    assert apply(lab, "k8s-worker5", usual)[-1] == "clear bgp 192.168.1.1"


def test_attributes_reach_the_router(lab: Lab, speaking: dict[str, BgpConfig]) -> None:
    special = Advertisement(
        IPv4Network("172.16.10.77"),
        communities=frozenset({"64512:100", "no-export"}),
        large_communities=frozenset({"64512:1:2"}),
        local_preference=150,
    )
    plain = Advertisement(IPv4Network("172.16.10.78"))
    usual = speaking["k8s-worker5"]
    apply(
        lab,
        "k8s-worker5",
        replace(usual, advertisements=(special, plain), origin="incomplete", local_preference=0),
    )
    for vip in ("172.16.10.77", "172.16.10.78"):
        next_hops(lab, vip, {"192.168.1.25"})
    (path,) = lab.vtysh(ROUTER, "show bgp ipv4 unicast 172.16.10.77/32 json").json()["paths"]
    assert path["community"]["string"] == "64512:100 no-export"
    assert path["largeCommunity"]["string"] == "64512:1:2"
    assert (path["locPrf"], path["origin"]) == (150, "incomplete")
    (path,) = lab.vtysh(ROUTER, "show bgp ipv4 unicast 172.16.10.78/32 json").json()["paths"]
    assert (path["locPrf"], path["origin"]) == (0, "incomplete")


_ROUTER, *_OTHERS = RICH.neighbors
_BFD = Bfd(5, 60, receive_interval=70, minimum_ttl=253, echo_interval=80, passive=True)
EVERYTHING = replace(RICH, neighbors=(replace(_ROUTER, bfd=_BFD), *_OTHERS))


def test_frr_says_everything_in_our_own_words(lab: Lab) -> None:
    """Applying twice takes no command the second time, and every step back is accepted too."""
    node = "k8s-master1"
    assert apply(lab, node, EVERYTHING)
    assert apply(lab, node, EVERYTHING) == []
    fewer = replace(EVERYTHING, neighbors=EVERYTHING.neighbors[:1], advertisements=())
    assert apply(lab, node, fewer)
    nothing_is_held_back(lab, node, fewer)
    plain = replace(fewer, neighbors=(Neighbor(IPv4Address("192.168.1.1"), 64512),))
    assert apply(lab, node, plain)
    assert apply(lab, node, plain) == []
    assert apply(lab, node, replace(plain, neighbors=()))
    assert apply(lab, node, replace(plain, neighbors=())) == []


def test_what_is_announced_already_gets_other_attributes(
    lab: Lab, plan: Plan, speaking: dict[str, BgpConfig]
) -> None:
    usual = speaking["k8s-worker5"]
    for community, preference in (("64512:1", 110), ("64512:2", 120)):
        marked = Advertisement(
            IPv4Network(VIP), communities=frozenset({community}), local_preference=preference
        )
        apply(lab, "k8s-worker5", replace(usual, advertisements=(marked,)))
        heard_from(lab, "192.168.1.25", (community, preference))
    apply(lab, "k8s-worker5", usual)
    heard_from(lab, "192.168.1.25", (None, 100))
    next_hops(lab, VIP, addresses(plan))


def heard_from(lab: Lab, node: str, wanted: tuple[str | None, int]) -> None:
    """What the router has of the VIP from a node: community and local preference."""

    def heard() -> tuple[str | None, int]:
        paths = lab.vtysh(ROUTER, f"show bgp ipv4 unicast {VIP}/32 json").json()["paths"]
        path = next(path for path in paths if path["nexthops"][0]["ip"] == node)
        return path.get("community", {}).get("string"), path["locPrf"]

    until(heard, wanted.__eq__, within=WITHIN, what=f"the VIP from {node}", wanted=wanted)
