"""Plan -> IPMininet topology -> running nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.emulation.lean import IPNet, IPTopo
from lab.emulation.links import LabLink
from lab.emulation.nodes import Emulated, LabBridge, LabHost, LabRouter
from lab.emulation.room import Room, prepare_files, quiet_bridges
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
        bridges = {network.name: f"{network.name}" for network in plan.networks}
        for number, name in enumerate(bridges.values()):
            self.addSwitch(name, index=FIRST_BRIDGE + number)
        for node in plan.nodes:
            add = self.addRouter if node.daemons else self.addHost
            add(node.name, room=Room(node, run_dir))
        ports = dict.fromkeys(bridges, 0)
        for number, (node, leg, leg_number) in enumerate(_legs(plan)):
            ports[leg.network] += 1
            self.addLink(
                node.name,
                bridges[leg.network],
                intfName1=leg.name,
                intfName2=f"{leg.network}-{ports[leg.network]}",
                addr1=leg.mac,
                params1={"index": FIRST_LEG + leg_number, "wanted": (leg.address,)},
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


class Nodes(Mapping[str, int]):
    """The running nodes: name -> process id of the holder, in the lab's PID namespace."""

    def __init__(self, net: LabNet) -> None:
        self._net = net

    def __getitem__(self, name: str) -> int:
        pid: int = self.node(name).pid
        return pid

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(node.name for node in (*self._net.routers, *self._net.hosts)))

    def __len__(self) -> int:
        return len(self._net.routers) + len(self._net.hosts)

    def node(self, name: str) -> Emulated:
        """The IPMininet node of that name."""
        node: Emulated = self._net[name]
        return node

    def set_link(self, name: str, interface: str, *, up: bool) -> None:
        """Set an interface of a node up or down, as pulling its cable does."""
        leg: Any = self.node(name).intf(interface)
        if up:
            leg.up()
        else:
            leg.down()

    def crash(self, name: str) -> None:
        """Power off: everything that runs on the node is killed, its links are gone."""
        self.node(name).terminate()

    def boot(self, name: str) -> int:
        """Build a crashed node again, with the same links; returns its new holder's id."""
        node = self.node(name)
        node.startShell()
        for leg in node.legs():
            leg.link.connect()
        node.start()
        return self[name]


def build(plan: Plan, run_dir: Path, progress: Progress) -> Nodes:
    """Make all nodes and links of a plan in the caller's namespaces, which are the lab's own."""
    prepare_files(plan, run_dir)
    quiet_bridges()
    progress(f"{len(plan.nodes)} nodes, {len(plan.networks)} networks")
    net = LabNet(plan, run_dir)
    net.start()
    return Nodes(net)


def _legs(plan: Plan) -> Iterator[tuple[PlannedNode, Interface, int]]:
    for node in plan.nodes:
        for number, leg in enumerate(node.interfaces):
            yield node, leg, number
