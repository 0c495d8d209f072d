"""The article's network for real: addresses, routes, forwarding, faults; read with ip and ping."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.errors import SandboxError
from lab.sandbox.handle import Lab
from lab.scenario.capture import capture
from lab.scenario.load.measured import sent_on
from lab.topology import load, resolve
from lab.topology.plan import Plan
from lab.wait import until

from .traces import comm, descendants, stat_fields
from .wires import running

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return resolve(load("basic"))


@pytest.fixture(scope="module")
def lab(plan: Plan) -> Iterator[Lab]:
    with running(plan, "wires") as started:
        yield started


def ip(lab: Lab, node: str, *words: str) -> Any:
    return lab.node(node).run(["ip", "-j", *words]).json()


def pings(lab: Lab, node: str, address: object) -> bool:
    return lab.node(node).probe(["ping", "-c1", "-W1", str(address)]).ok


def reads(lab: Lab, node: str, path: str) -> str:
    return lab.node(node).run(["cat", path]).out.strip()


def test_every_interface_has_the_plans_name_address_and_mac(lab: Lab, plan: Plan) -> None:
    for node in plan.nodes:
        wanted = {(leg.name, leg.mac, str(leg.address)) for leg in node.interfaces}
        links = [link for link in ip(lab, node.name, "addr") if link["ifname"] != "lo"]
        assert {
            (link["ifname"], link["address"], f"{a['local']}/{a['prefixlen']}")
            for link in links
            for a in link["addr_info"]
        } == wanted
        assert all(link["operstate"] == "UP" for link in links)


def test_default_routes(lab: Lab, plan: Plan) -> None:
    for node in plan.nodes:
        gateways = [route["gateway"] for route in ip(lab, node.name, "route", "show", "default")]
        assert gateways == ([str(node.default_route)] if node.default_route else [])


@pytest.mark.parametrize(
    ("node", "address"),
    [
        ("client1", "192.168.1.25"),
        ("client3", "203.0.113.10"),
        ("k8s-worker2", "192.168.10.12"),
        ("k8s-control", "192.168.10.11"),
        ("external1", "192.168.1.10"),
    ],
)
def test_the_router_forwards_between_all_networks(lab: Lab, node: str, address: str) -> None:
    assert pings(lab, node, address)


def test_a_node_is_a_machine_of_its_own(lab: Lab) -> None:
    node = lab.node("k8s-worker1")
    assert node.run(["hostname"]).out.strip() == "k8s-worker1"
    assert "192.168.1.10 k8s-master1" in reads(lab, "k8s-worker1", "/etc/hosts").splitlines()
    assert pings(lab, "k8s-worker1", "k8s-master1")
    assert node.run(["ls", "/sys/class/net"]).out.split() == ["eth0", "lo"]
    assert node.run(["stat", "-f", "-c", "%T", "/sys/fs/bpf"]).out.strip() == "bpf_fs"


def test_bpf_file_systems_are_private(lab: Lab) -> None:
    lab.node("k8s-worker1").run(["mkdir", "/sys/fs/bpf/mine"])
    assert "mine" not in lab.node("k8s-worker2").run(["ls", "/sys/fs/bpf"]).out.split()


def test_kernel_settings(lab: Lab) -> None:
    assert reads(lab, "bgp-router1", "/proc/sys/net/ipv4/ip_forward") == "1"
    assert reads(lab, "bgp-router1", "/proc/sys/net/ipv4/fib_multipath_hash_policy") == "1"
    assert reads(lab, "client1", "/proc/sys/net/ipv4/ip_forward") == "0"
    for interface in ("all", "eth0"):
        path = f"/proc/sys/net/ipv4/conf/{interface}/rp_filter"
        assert reads(lab, "k8s-worker1", path) == "0"


def test_a_node_is_quiet_in_ipv6(lab: Lab) -> None:
    addresses = ip(lab, "client1", "-6", "addr", "show", "dev", "eth0")
    assert [link for link in addresses if link.get("addr_info")] == []


def test_nothing_of_it_is_in_the_hosts_network(plan: Plan, lab: Lab) -> None:
    names = {path.name for path in Path("/sys/class/net").iterdir()}
    assert not names & {network.name for network in plan.networks}
    assert not [name for name in names if name.startswith(("nodes-", "lan-", "external-"))]
    assert not Path("/etc/frr/start").exists()


def test_every_wire_is_up_and_bridges_stay_out_of_netfilter(plan: Plan, lab: Lab) -> None:
    """Seen from a bridge: its ports are as many as the plan has legs in the network."""
    for network in plan.networks:
        legs = [
            leg for node in plan.nodes for leg in node.interfaces if leg.network == network.name
        ]
        neighbours = [leg.address.ip for leg in legs]
        first = next(n for n in plan.nodes if n.interfaces[0].address.ip == neighbours[0])
        assert all(pings(lab, first.name, address) for address in neighbours[1:])


def test_a_cable_pulled_and_plugged_in_again(lab: Lab) -> None:
    assert pings(lab, "client2", "192.168.1.21")
    lab.ask("link", node="client2", interface="eth0", up=False)
    assert not pings(lab, "client2", "192.168.1.21")
    lab.ask("link", node="client2", interface="eth0", up=True)
    assert pings(lab, "client2", "192.168.1.21")


def test_a_second_cable_comes_back_while_the_first_is_out(lab: Lab) -> None:
    """The default route leads over eth0: eth1 cannot bring it back."""
    for interface, up in (("eth0", False), ("eth1", False), ("eth1", True)):
        lab.ask("link", node="k8s-control", interface=interface, up=up)
    assert pings(lab, "k8s-control", "192.168.10.11")
    assert ip(lab, "k8s-control", "route", "show", "default") == []
    lab.ask("link", node="k8s-control", interface="eth0", up=True)
    assert pings(lab, "k8s-control", "203.0.113.10")


def test_a_node_crashes_and_returns(lab: Lab) -> None:
    with lab.node("k8s-worker5").spawn(["sleep", "infinity"]) as sleeper:
        assert pings(lab, "client1", "192.168.1.25")
        lab.ask("crash", node="k8s-worker5")
        assert sleeper.wait(timeout=10) != 0, "every process of the node has gone"
        assert not pings(lab, "client1", "192.168.1.25")
    assert "k8s-worker5" not in lab.holders()
    with pytest.raises(SandboxError, match="k8s-worker5 has crashed: boot it first"):
        lab.ask("link", node="k8s-worker5", interface="eth0", up=False)
    lab.ask("boot", node="k8s-worker5")
    with pytest.raises(SandboxError, match="k8s-worker5 is running"):
        lab.ask("boot", node="k8s-worker5")
    assert pings(lab, "client1", "192.168.1.25")
    assert "bgpd" in lab.node("k8s-worker5").run(["vtysh", "-c", "show daemons"]).out


def test_a_capture_holds_what_tcpdump_was_late_to_print(lab: Lab) -> None:
    """It is held up while packets come, and let go only as the block ends."""
    clients = ("client1", "client2", "client3")
    expression = "icmp and dst host 192.168.1.21"
    with capture(lab.node("k8s-worker1"), "k8s-worker1", "eth0", expression) as taken:
        (tcpdump,) = (pid for pid in descendants(os.getpid()) if comm(pid) == "tcpdump")
        os.kill(tcpdump, signal.SIGSTOP)
        assert all(pings(lab, client, "192.168.1.21") for client in clients)
        assert taken.packets() == []
        nsenter = int(stat_fields(tcpdump)[1])  # it stops and goes on with what it has started
        until(lambda: stat_fields(nsenter)[0], lambda seen: seen == "T", within=10, what="its stop")
        os.kill(nsenter, signal.SIGCONT)
    sources = [packet.source for packet in taken.packets()]
    assert sources == [str(lab.plan.node(client).address) for client in clients]


def test_what_is_sent_on_is_what_leaves_towards_the_nodes(lab: Lab) -> None:
    """What a node sends comes in at the same place; waited for, it would fail the capture."""
    for node, address, leaves in (
        ("client1", "192.168.1.21", True),
        ("k8s-worker1", "203.0.113.10", False),
    ):
        with sent_on(lab, address, 81) as taken:
            lab.node(node).probe(["curl", "-s", "--max-time", "1", f"http://{address}:81/"])
        assert any(f" > {address}.81: Flags [S]" in line for line in taken.printed()) == leaves
