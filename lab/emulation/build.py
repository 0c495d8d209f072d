"""Plan -> IPMininet topology -> running nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path

from lab.emulation.lean import IPNet, IPTopo
from lab.emulation.links import LabLink
from lab.emulation.nodes import LabBridge, LabHost, LabRouter
from lab.emulation.offloads import serve_xdp
from lab.emulation.room import Room, prepare_files, quiet_bridges
from lab.emulation.running import Nodes
from lab.topology.plan import Interface, Plan, PlannedNode

Progress = Callable[[str], None]

FIRST_LEG = 2
"""Index of a node's first interface: `lo` is 1."""
FIRST_BRIDGE = 100
"""Index of the first bridge, in the supervisor's namespace."""
FIRST_PORT = 1000
"""Index of the first bridge port: no leg's index is as high, see `messages.veth`."""


class LabTopo(IPTopo):  # type: ignore[misc]  # IPMininet has no type hints
    """The plan in IPMininet's words: a switch for each network, a link for each leg."""

    def build(self, plan: Plan, run_dir: Path) -> None:
        for number, network in enumerate(plan.networks):
            self.addSwitch(network.name, index=FIRST_BRIDGE + number)
        for node in plan.nodes:
            add = self.addRouter if node.daemons else self.addHost
            add(node.name, room=Room(node, run_dir))
        ports = dict.fromkeys((network.name for network in plan.networks), 0)
        for number, (node, leg, leg_number) in enumerate(_legs(plan)):
            ports[leg.network] += 1
            self.addLink(
                node.name,
                leg.network,
                intfName1=leg.name,
                intfName2=f"{leg.network}-{ports[leg.network]}",
                addr1=leg.mac,
                params1={"index": FIRST_LEG + leg_number, "wanted": _addresses(leg)},
                params2={"index": FIRST_PORT + number},
            )
        super().build()


class LabNet(IPNet):  # type: ignore[misc]
    """IPMininet's network from our classes, with all addresses given and no controller."""

    def __init__(self, plan: Plan, run_dir: Path) -> None:
        super().__init__(
            topo=LabTopo(plan, run_dir),
            router=LabRouter,
            host=LabHost,
            switch=LabBridge,
            link=LabLink,
            intf=None,
            controller=None,
            use_v6=False,
            allocate_IPs=False,
        )


def build(plan: Plan, run_dir: Path, progress: Progress) -> Nodes:
    """Make all nodes and links of a plan in the caller's namespaces, which are the lab's own."""
    prepare_files(plan, run_dir)
    quiet_bridges()
    progress(f"{len(plan.nodes)} nodes, {len(plan.networks)} networks")
    net = LabNet(plan, run_dir)
    net.start()
    if plan.cluster is not None and plan.cluster.options.get("acceleration") == "native":
        for port in _uplink_ports(plan, net):
            serve_xdp(port)
    return Nodes(net)


def _uplink_ports(plan: Plan, net: LabNet) -> Iterator[str]:
    """Bridge ports that the cluster's nodes are plugged into."""
    uplinks = {(node.name, node.interfaces[0].name) for node in plan.kube_nodes}
    for link in net.links:
        if (link.intf1.node.name, link.intf1.name) in uplinks:
            yield link.intf2.name


def _addresses(leg: Interface) -> tuple[IPv4Interface | IPv6Interface, ...]:
    return (leg.address, leg.address6) if leg.address6 is not None else (leg.address,)


def _legs(plan: Plan) -> Iterator[tuple[PlannedNode, Interface, int]]:
    for node in plan.nodes:
        for number, leg in enumerate(node.interfaces):
            yield node, leg, number
