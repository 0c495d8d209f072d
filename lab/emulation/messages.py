"""rtnetlink: the few requests that build a network, as bytes.

Numbers are in host byte order but for addresses, which are in network order.
Sources: netlink(7), rtnetlink(7), <linux/rtnetlink.h>, <linux/if_link.h>.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

HEADER = struct.Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence number, port."""
_LINK = struct.Struct("=BxHiII")
"""ifinfomsg: family, device type, index, flags, change mask."""
_ADDRESS = struct.Struct("=BBBBI")
"""ifaddrmsg: family, prefix length, flags, scope, index."""
_ROUTE = struct.Struct("=BBBBBBBBI")
"""rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags."""
_ATTRIBUTE = struct.Struct("=HH")

_NEW_LINK, _DELETE_LINK, _NEW_ADDRESS, _NEW_ROUTE = 16, 17, 20, 24
_REQUEST, _ACK, _REPLACE, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER = 1, 3, 10
_IFLA_LINKINFO, _IFLA_NET_NS_PID = 18, 19
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_BRIDGE_FORWARD_DELAY, _BRIDGE_STP, _BRIDGE_SNOOPING = 1, 5, 23
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 4, 8
_IFA_F_NODAD = 0x02
_RTA_GATEWAY = 5
_IFF_UP = 0x1
_TABLE_MAIN, _PROTOCOL_STATIC, _UNICAST = 254, 4, 1

LOOPBACK = 1
"""Index of `lo` in every network namespace."""


class Message:
    """A request without its sequence number, and words for the error it may lead to."""

    def __init__(self, what: str, kind: int, flags: int, body: bytes) -> None:
        self.what = what
        self._kind, self._flags, self._body = kind, flags | _REQUEST | _ACK, body

    def encode(self, sequence: int) -> bytes:
        length = HEADER.size + len(self._body)
        return HEADER.pack(length, self._kind, self._flags, sequence, 0) + self._body


def bridge(name: str, index: int, mac: str) -> Message:
    """A bridge that is up and forwards at once: no spanning tree, no multicast snooping."""
    options = (
        _attribute(_BRIDGE_STP, struct.pack("=I", 0))
        + _attribute(_BRIDGE_FORWARD_DELAY, struct.pack("=I", 0))
        + _attribute(_BRIDGE_SNOOPING, b"\0")
    )
    body = (
        _link_body(index, up=True)
        + _name(name)
        + _mac(mac)
        + _info("bridge", options)
    )  # fmt: skip
    return Message(f"create bridge {name}", _NEW_LINK, _CREATE | _EXCLUSIVE, body)


def veth(
    port: str,
    port_index: int,
    master: int,
    *,
    peer: str,
    peer_index: int,
    peer_mac: str,
    pid: int,
) -> Message:
    """A port of bridge `master` here, and its other end in the namespace of process `pid`.

    The two indices must differ although they count in different namespaces: else the kernel
    takes the ends for one device and reports their carrier up to a second late
    (linkwatch_urgent_event in net/core/link_watch.c).
    """
    other = (
        _link_body(peer_index)
        + _name(peer)
        + _mac(peer_mac)
        + _attribute(_IFLA_NET_NS_PID, struct.pack("=I", pid))
    )
    body = (
        _link_body(port_index, up=True)
        + _name(port)
        + _attribute(_IFLA_MASTER, struct.pack("=I", master))
        + _info("veth", _attribute(_VETH_PEER, other))
    )
    return Message(f"create link {port} to {peer}", _NEW_LINK, _CREATE | _EXCLUSIVE, body)


def set_up(index: int, *, up: bool = True) -> Message:
    """Set an interface administratively up or down."""
    state = "up" if up else "down"
    return Message(f"set interface {index} {state}", _NEW_LINK, 0, _link_body(index, up=up))


def delete(index: int) -> Message:
    """Remove an interface; of a veth pair both ends go."""
    return Message(f"delete interface {index}", _DELETE_LINK, 0, _link_body(index))


def add_address(index: int, address: IPv4Interface | IPv6Interface) -> Message:
    """Give an interface an address; an IPv6 one is usable at once (no DAD)."""
    packed = address.ip.packed
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    body = _ADDRESS.pack(family, address.network.prefixlen, 0, 0, index)
    body += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
    if isinstance(address, IPv4Interface):
        body += _attribute(_IFA_BROADCAST, address.network.broadcast_address.packed)
    else:
        body += _attribute(_IFA_FLAGS, struct.pack("=I", _IFA_F_NODAD))
    return Message(f"add address {address}", _NEW_ADDRESS, _CREATE | _REPLACE, body)


def default_route(gateway: IPv4Address | IPv6Address) -> Message:
    """Everything that is not on a link goes to the gateway, which must be on one."""
    family = socket.AF_INET if gateway.version == 4 else socket.AF_INET6
    body = _ROUTE.pack(family, 0, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, 0, _UNICAST, 0)
    body += _attribute(_RTA_GATEWAY, gateway.packed)
    return Message(f"add default route via {gateway}", _NEW_ROUTE, _CREATE | _REPLACE, body)


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + b"\0" * (-length % 4)


def _link_body(index: int, *, up: bool | None = None) -> bytes:
    change = 0 if up is None else _IFF_UP
    return _LINK.pack(socket.AF_UNSPEC, 0, index, _IFF_UP if up else 0, change)


def _name(name: str) -> bytes:
    return _attribute(_IFLA_IFNAME, name.encode() + b"\0")


def _mac(mac: str) -> bytes:
    return _attribute(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "")))


def _info(kind: str, data: bytes) -> bytes:
    info = _attribute(_INFO_KIND, kind.encode()) + _attribute(_INFO_DATA, data)
    return _attribute(_IFLA_LINKINFO, info)
