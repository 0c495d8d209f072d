"""The drawing of the article's network, as text and as a graph."""

from __future__ import annotations

from pathlib import Path

from lab.topology import Topology, host, link, load, network, resolve, router
from lab.topology.drawing import dot, text

GOLDEN = Path(__file__).parent / "golden"


def test_text_of_the_articles_network() -> None:
    assert text(resolve(load("basic"))) == (GOLDEN / "basic.txt").read_text()


def test_a_node_between_distant_networks_crosses_those_between() -> None:
    plan = resolve(
        Topology(
            "t",
            *(network(name, f"10.{n}.0.0/16") for n, name in enumerate("abc", start=1)),
            router("r"),
            link("r", "a", "10.1.0.1"),
            link("r", "c", "10.3.0.1"),
            host("h"),
            link("h", "b", "10.2.7.9"),
        )
    )
    lines = text(plan).splitlines()
    assert lines[3] == "r  ● eth0 .0.1 ─ ┼──────────── ● eth1 .0.1"
    assert lines[4] == "h  │             ● eth0 .7.9   │"


def test_both_families_stand_above_the_columns() -> None:
    drawn = text(resolve(load("dual_stack", workers=1))).splitlines()
    assert drawn[2].split() == ["2001:db8:2::/64", "2001:db8:10::/64", "2001:db8:1::/64"]
    assert "2001:db8:10::/64" in dot(resolve(load("dual_stack")))


def test_graph_has_every_node_network_and_leg() -> None:
    plan = resolve(load("basic"))
    graph = dot(plan)
    assert graph.count(" -- ") == sum(len(node.interfaces) for node in plan.nodes)
    assert '"client1" -- "net lan" [label="eth0\\n192.168.10.11"];' in graph
    assert '"net nodes" -- "k8s-worker5" [label="eth0\\n192.168.1.25"];' in graph
    assert '"bgp-router1" -- "net nodes" [label="enp7s0\\n192.168.1.1"];' in graph
    assert all(f'  "{node.name}" [label=' in graph for node in plan.nodes)
