"""IPMininet's links and interfaces over netlink: a veth from a node to its network's bridge."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_interface
from typing import Any

from lab.emulation import messages
from lab.emulation.lean import IPIntf, IPLink
from lab.emulation.netlink import Netlink


class LabInterface(IPIntf):  # type: ignore[misc]  # IPMininet has no type hints
    """One end of a link.

    Parameters: `index` in its namespace, `addresses` of a node's end. The addresses are those
    that were set through this object; nothing asks `ip address` for them.
    """

    def __init__(self, name: str, **params: Any) -> None:
        self.index: int = params.pop("index", messages.LOOPBACK)
        wanted = params.pop("wanted", ())
        # A link's ends are made in their namespaces: nothing has to be moved.
        super().__init__(name, **{**params, "moveIntfFn": lambda *_: None})
        self.addresses = {
            version: [one for one in wanted if one.version == version] for version in (4, 6)
        }

    def config(self, **_: object) -> dict[str, object]:
        """Nothing to do: the node configures all of its interfaces at once."""
        return {}

    def bring_up(self) -> list[messages.Message]:
        """Requests that set the interface up with its addresses, in its node's namespace."""
        addresses = [*self.addresses[4], *self.addresses[6]]
        add = [messages.add_address(self.index, address) for address in addresses]
        return [messages.set_up(self.index), *add]

    def reaches(self, gateway: IPv4Address | IPv6Address) -> bool:
        """Whether an address is on the interface's own link."""
        return any(gateway in own.network for own in self.addresses[gateway.version])

    def isUp(self, setUp: bool = False) -> bool:  # noqa: N802, ARG002 - Mininet's names
        """Mininet asks this to set an interface up as it is made; the node does that later."""
        return True

    def up(self, restore: bool = True) -> None:  # noqa: ARG002 - IPMininet's name
        """Set up again, with addresses and default route as they were."""
        self.node.configure([self])

    def down(self, backup: bool = True) -> None:  # noqa: ARG002 - IPMininet's name
        """Set down: the other end loses its carrier, the kernel drops the routes through it."""
        with self.node.netlink() as netlink:
            netlink.send([messages.set_up(self.index, up=False)])

    def setIP(self, ip: Any, prefixLen: int | None = None) -> None:  # noqa: N802, N803
        """Set the addresses of the families given: text or ip_interface, one, several, or None."""
        several = ip if isinstance(ip, Sequence) and not isinstance(ip, str) else [ip]
        wanted = [_interface(one, prefixLen) for one in several if one]
        for version in {one.version for one in wanted}:
            self.addresses[version] = [one for one in wanted if one.version == version]
        if wanted and self.link is not None:
            self.node.configure([self])

    def _refresh_addresses(self) -> None:
        """The addresses are known."""


def _interface(address: Any, prefix: int | None) -> IPv4Interface | IPv6Interface:
    bare = prefix is not None and "/" not in str(address)
    return ip_interface(f"{address}/{prefix}" if bare else str(address))


class LabLink(IPLink):  # type: ignore[misc]
    """A veth between a node (`intf1`) and the bridge of its network (`intf2`)."""

    def __init__(self, node1: Any, node2: Any, **params: Any) -> None:
        super().__init__(node1, node2, **{**params, "intf": LabInterface})
        self.mac: str = params["addr1"]
        self._connected = False
        self.connect()

    @classmethod
    def makeIntfPair(cls, *_: object, **__: object) -> None:  # noqa: N802 - Mininet's name
        """`connect` makes the pair, when both objects are there."""

    def connect(self) -> None:
        """Create the pair, one end in the node's namespace, and plug the other in."""
        node, bridge = self.intf1.node, self.intf2.node
        node.holder.ready()
        request = messages.veth(
            self.intf2.name,
            self.intf2.index,
            bridge.index,
            peer=self.intf1.name,
            peer_index=self.intf1.index,
            peer_mac=self.mac,
            pid=node.pid,
        )
        with Netlink() as netlink:
            netlink.send([request])
        self._connected = True

    def cut(self) -> None:
        """Remove the pair at once, if that was not done yet; the kernel would do it some time after
        the node's end.
        """
        if self._connected:
            with Netlink() as netlink:
                netlink.send([messages.delete(self.intf2.index)])
        self._connected = False
