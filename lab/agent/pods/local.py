"""A pod's place on its node, as the datapath needs it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address


@dataclass(frozen=True)
class PodLink:
    """The node's end of a pod's veth pair, and the hardware addresses of both."""

    name: str
    index: int
    mac: str
    """The pod's end."""
    node_mac: str
    """The node's end."""


@dataclass(frozen=True)
class LocalPod:
    """A pod that runs on this node."""

    uid: str
    namespace: str
    name: str
    address: IPv4Address
    link: PodLink
    address6: IPv6Address | None = None

    @property
    def addresses(self) -> tuple[IPv4Address | IPv6Address, ...]:
        return (self.address, self.address6) if self.address6 else (self.address,)

    @property
    def endpoint_id(self) -> int:
        """Unique on the node: the low 16 bits of the pod's IPv4 address."""
        return int(self.address) & 0xFFFF
