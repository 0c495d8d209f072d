"""The nodes of a running lab, and what can happen to them: a cable pulled, power lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.emulation.lean import IPNet
from lab.emulation.links import LabInterface
from lab.emulation.nodes import Emulated
from lab.errors import InputError


class Nodes(Mapping[str, int]):
    """Name -> process id of the node's holder, in the lab's PID namespace.

    A node that has crashed is not among them until it is booted again.
    """

    def __init__(self, net: IPNet) -> None:
        self._nodes: dict[str, Emulated] = {n.name: n for n in (*net.routers, *net.hosts)}
        self._crashed: set[str] = set()

    def __getitem__(self, name: str) -> int:
        pid: int = self.node(name).pid
        return pid

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._nodes.keys() - self._crashed))

    def __len__(self) -> int:
        return len(self._nodes) - len(self._crashed)

    def node(self, name: str) -> Emulated:
        """The IPMininet node of that name; KeyError when it is down or unknown."""
        if name in self._crashed:
            raise KeyError(name)
        return self._nodes[name]

    def port(self, name: str, interface: str) -> LabInterface:
        """The far end of a node's cable: a port of its network's bridge."""
        leg: Any = self._nodes[name].intf(interface)
        port: LabInterface = leg.link.intf2
        return port

    def set_link(self, name: str, interface: str, *, up: bool) -> None:
        """Set an interface of a node up or down, as pulling its cable does."""
        leg: Any = self._running(name).intf(interface)
        if up:
            leg.up()
        else:
            leg.down()

    def unplug(self, name: str) -> None:
        """Cut all links of a node that is about to crash: what its processes say is not heard."""
        self._running(name).unplug()

    def crash(self, name: str) -> None:
        """Power off: everything that runs on the node is killed, its links are gone."""
        node = self._running(name)
        self._crashed.add(name)
        node.terminate()

    def boot(self, name: str) -> int:
        """Build a crashed node again, with the same links; returns its new holder's id."""
        if name not in self._crashed:
            raise InputError(f"node {name} is running: only one that has crashed can boot")
        node = self._nodes[name]
        node.startShell()
        for leg in node.legs():
            leg.link.connect()
        node.start()
        self._crashed.remove(name)
        return self[name]

    def _running(self, name: str) -> Emulated:
        if name in self._crashed:
            raise InputError(f"node {name} has crashed: boot it first")
        return self.node(name)
