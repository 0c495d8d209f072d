"""The plan in IPMininet's words: switches, nodes, links; and what is written for the nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.emulation.build import FIRST_PORT, LabTopo
from lab.emulation.lean import IPTopo
from lab.emulation.room import hosts_file, prepare_files
from lab.topology import load, resolve
from lab.topology.plan import Plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    return resolve(load("basic"))


@pytest.fixture(scope="module")
def topo(plan: Plan) -> Any:
    return LabTopo(plan, Path("/run/lab/t"))


def test_every_network_is_a_switch_and_every_frr_node_a_router(plan: Plan, topo: Any) -> None:
    assert isinstance(topo, IPTopo)
    assert set(topo.switches()) == {"external", "lan", "nodes"}
    assert set(topo.routers()) == {node.name for node in plan.nodes if node.daemons}
    assert set(topo.hosts()) == {node.name for node in plan.nodes if not node.daemons}


def test_every_leg_is_a_link_with_the_plans_name_and_mac(plan: Plan, topo: Any) -> None:
    links = [info for _, _, info in topo.links(withInfo=True)]
    found = {(info["node1"], info["intfName1"], info["node2"], info["addr1"]) for info in links}
    assert found == {
        (node.name, leg.name, leg.network, leg.mac)
        for node in plan.nodes
        for leg in node.interfaces
    }


def test_ports_have_names_of_their_own_and_indices_no_leg_has(topo: Any) -> None:
    links = [info for _, _, info in topo.links(withInfo=True)]
    names = [info["intfName2"] for info in links]
    indices = [info["params2"]["index"] for info in links]
    assert len(set(names)) == len(set(indices)) == len(links)
    assert all(len(name) <= 15 for name in names)
    assert min(indices) >= FIRST_PORT > max(info["params1"]["index"] for info in links)


def test_every_node_knows_every_other_by_name(plan: Plan) -> None:
    assert hosts_file(plan).splitlines()[:4] == [
        "127.0.0.1 localhost",
        "::1 localhost ip6-localhost",
        "203.0.113.10 external1",
        "192.168.10.11 client1",
    ]
    assert len(hosts_file(plan).splitlines()) == 2 + len(plan.nodes)


def test_only_nodes_with_daemons_have_a_place_for_frr(plan: Plan, tmp_path: Path) -> None:
    prepare_files(plan, tmp_path)
    assert (tmp_path / "nodes" / "k8s-worker1" / "frr").is_dir()
    assert not (tmp_path / "nodes" / "client1" / "frr").exists()
    assert (tmp_path / "nodes" / "client1" / "log").is_dir()
