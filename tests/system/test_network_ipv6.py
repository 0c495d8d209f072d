"""Both address families on every wire, and a BGP session for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest

from lab.frr.model import Advertisement, BgpConfig, Neighbor
from lab.sandbox.handle import Lab
from lab.topology import load, resolve
from lab.topology.plan import Plan
from lab.wait import until

from .wires import apply, nothing_is_held_back, running

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
]

VIP = "2001:db8:172::/128"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return resolve(load("dual_stack"))


@pytest.fixture(scope="module")
def lab(plan: Plan) -> Iterator[Lab]:
    with running(plan, "six") as started:
        yield started


@pytest.mark.parametrize(
    ("node", "address"),
    [
        ("client1", "2001:db8:1::25"),
        ("client1", "192.168.1.25"),
        ("k8s-worker1", "2001:db8:10::233"),
        ("k8s-master1", "2001:db8:2::10"),
        ("k8s-worker1", "2001:db8:1::22"),
    ],
)
def test_every_node_reaches_the_others(lab: Lab, node: str, address: str) -> None:
    assert lab.node(node).probe(["ping", "-c1", "-W2", address]).ok


def test_addresses_after_a_cable_was_pulled(lab: Lab) -> None:
    for up in (False, True):
        lab.ask("link", node="client2", interface="eth0", up=up)
    assert lab.node("client2").probe(["ping", "-c1", "-W2", "2001:db8:1::21"]).ok


def test_six_next_hops_for_an_ipv6_address(lab: Lab, plan: Plan) -> None:
    for node in plan.kube_nodes:
        neighbors = (
            Neighbor(IPv4Address("192.168.1.1"), 64512),
            Neighbor(IPv6Address("2001:db8:1::1"), 64512, families=(6,)),
        )
        adverts = (
            Advertisement(IPv6Network(VIP), frozenset({"64512:1"}), local_preference=7),
            Advertisement(IPv6Network("2001:db8:9::/128")),
        )
        config = BgpConfig(64512, node.address, neighbors, adverts, address6=node.address6)
        config = replace(config, origin="incomplete")
        nothing_is_held_back(lab, node.name, config)
    routes = until(
        lambda: lab.node("bgp-router1").run(["ip", "-6", "-j", "route", "show", VIP]).json(),
        lambda found: found and len(found[0].get("nexthops", [])) == 6,
        within=15.0,
        what=f"next hops of {VIP}",
        wanted=6,
    )
    wanted = {str(node.interfaces[0].address6).split("/")[0] for node in plan.kube_nodes}
    assert {hop["gateway"] for hop in routes[0]["nexthops"]} == wanted
    foreign = lab.node("bgp-router1").run(["ip", "-6", "-j", "route", "show", "2001:db8:9::/128"])
    assert foreign.json() == [], "only the pool's addresses are believed"


def test_a_pulled_cable_does_not_change_the_next_hop(lab: Lab, plan: Plan) -> None:
    """The session outlives the moment, and zebra tells bgpd that the address is gone meanwhile."""
    worker, late = plan.node("k8s-worker2"), "2001:db8:172::2/128"
    neighbors = (Neighbor(IPv6Address("2001:db8:1::1"), 64512, families=(6,)),)
    adverts = tuple(Advertisement(IPv6Network(prefix)) for prefix in ("2001:db8:172::1/128", late))
    config = BgpConfig(64512, worker.address, neighbors, adverts[:1], address6=worker.address6)
    apply(lab, worker.name, config)
    heard(lab, "2001:db8:172::1/128")
    for up in (False, True):
        lab.ask("link", node=worker.name, interface="eth0", up=up)
    apply(lab, worker.name, replace(config, advertisements=adverts))
    assert heard(lab, late) == {"2001:db8:1::22"}
    assert heard(lab, "2001:db8:172::1/128") == {"2001:db8:1::22"}


def heard(lab: Lab, prefix: str) -> set[str]:
    """The global next hops under which the router hears of a prefix, once it does."""
    asked = ["vtysh", "-c", f"show bgp ipv6 unicast {prefix} json"]
    told = until(
        lambda: lab.node("bgp-router1").run(asked).json().get("paths", []),
        bool,
        within=15.0,
        what=f"routes of {prefix}",
    )
    hops = [hop for path in told for hop in path["nexthops"]]
    return {hop["ip"] for hop in hops if hop.get("scope") != "link-local"}
