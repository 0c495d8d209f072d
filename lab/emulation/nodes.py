"""IPMininet's nodes without shells: a namespace, its holder, and netlink.

Mininet talks to an interactive bash over a pseudo-terminal, some 20 ms for every command. These
nodes keep Mininet's interface (`cmd`, `popen`, `intf`, ...) and start no program to come up.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from lab import shell
from lab.emulation import messages
from lab.emulation.holder import Holder, inside, start
from lab.emulation.lean import IPHost, IPNode, IPSwitch, NodeConfig, Router
from lab.emulation.links import LabInterface
from lab.emulation.netlink import Netlink
from lab.emulation.room import Room


class Emulated(IPNode):  # type: ignore[misc]  # IPMininet has no type hints
    """What is common to our hosts and routers. Parameter `room`: the node's Room."""

    room: Room
    holder: Holder

    @classmethod
    def checkSetup(cls) -> None:  # noqa: N802 - Mininet's name
        """The set-up has seen to the programs; looking for each again costs a fork."""

    def startShell(self, mnopts: str | None = None) -> None:  # noqa: N802, ARG002 - Mininet's names
        """Start the holder instead; it is waited for when its namespace is first needed."""
        self.room = self.params["room"]
        self.holder = start(self.name, self.room.furnish)
        self.pid = self.holder.pid

    def netlink(self) -> Netlink:
        """A route socket in the node's network namespace."""
        self.holder.ready()
        return Netlink(self.pid)

    def configDefault(self, **_: Any) -> None:  # noqa: N802 - Mininet's name
        """Addresses are set by `start`, from the plan."""

    def start(self) -> None:
        """Interfaces up, addresses, default route: one write to the kernel."""
        self.configure(self.legs())

    def legs(self) -> list[LabInterface]:
        """The interfaces that lead to a network."""
        return [interface for interface in self.intfList() if interface.link is not None]

    def configure(self, interfaces: Iterable[LabInterface]) -> None:
        """Bring interfaces up, then the default routes that lead through one of them."""
        legs = list(interfaces)
        requests = [request for leg in legs for request in leg.bring_up()]
        for gateway in (self.room.node.default_route, self.room.node.default_route6):
            if gateway is not None and any(leg.reaches(gateway) for leg in legs):
                requests.append(messages.default_route(gateway))
        with self.netlink() as netlink:
            netlink.send(requests)

    def popen(self, *words: Any, **options: Any) -> Any:
        """Mininet's popen, in all three namespaces of the node."""
        options.setdefault("mncmd", inside(self.pid))
        return super().popen(*words, **options)

    def cmd(self, *words: Any, **_: Any) -> str:
        """Run a shell command in the node; what it prints on both outputs."""
        line = " ".join(str(word) for word in words)
        result = shell.probe([*inside(self.pid), "/bin/sh", "-c", line])
        return result.out + result.err

    def unplug(self) -> None:
        """Cut all links of the node."""
        for interface in self.legs():
            interface.link.cut()

    def terminate(self) -> None:
        """Power off: every process of the node is killed, its links are gone."""
        self.unplug()
        self.room.vacate()
        self.holder.reap()


class LabHost(Emulated, IPHost):  # type: ignore[misc]
    """A client or the control machine."""

    def __init__(self, name: str, **params: Any) -> None:
        super().__init__(name, **{**params, "config": NodeConfig, "use_v6": False})

    def createDefaultRoutes(self) -> bool:  # noqa: N802 - IPMininet's name
        """`start` has set the plan's; IPMininet would take any router of the network."""
        return True


class LabRouter(Emulated, Router):  # type: ignore[misc]
    """A node with FRR: the router and every Kubernetes node."""

    def __init__(self, name: str, **params: Any) -> None:
        # Router's own constructor would run `ifconfig lo` and `ip address`; the rest of it is:
        IPNode.__init__(self, name, **{**params, "config": NodeConfig, "use_v6": False})
        self.password = None
        LabInterface("lo", node=self, port=-1)


class LabBridge(IPSwitch):  # type: ignore[misc]
    """A network's bridge, in the supervisor's namespace. Parameter `index`: its own there."""

    def __init__(self, name: str, **params: Any) -> None:
        self.index: int = params["index"]
        super().__init__(name, **{**params, "stp": False, "dpid": f"{self.index:x}"})

    @classmethod
    def checkSetup(cls) -> None:  # noqa: N802 - Mininet's name
        """No brctl is needed."""

    def startShell(self, mnopts: str | None = None) -> None:  # noqa: N802, ARG002 - Mininet's names
        """Make the bridge instead of a shell, so that links find it."""
        self.pid = os.getpid()
        mac = f"02:00:00:00:00:{self.index:02x}"
        with Netlink() as netlink:
            netlink.send([messages.bridge(self.name, self.index, mac)])

    def cmd(self, *_: Any, **__: Any) -> str:
        """A bridge has no shell; Mininet tries to configure its loopback."""
        return ""

    def start(self, _controllers: object) -> None:
        """It forwards since it was made."""

    def terminate(self) -> None:
        with Netlink() as netlink:
            netlink.send([messages.delete(self.index)])

    def stop(self, deleteIntfs: bool = True) -> None:  # noqa: N803, ARG002 - Mininet's name
        self.terminate()
