"""rtnetlink requests, taken apart again attribute by attribute."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface

import pytest

from lab.emulation import messages

Attributes = dict[int, bytes]


def attributes(data: bytes) -> Attributes:
    """Kind -> value of the attributes one after the other (rtnetlink(7))."""
    found: Attributes = {}
    while data:
        length, kind = struct.unpack_from("=HH", data)
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def taken_apart(message: messages.Message, fixed: int) -> tuple[tuple[int, ...], bytes, Attributes]:
    """Header without its length, which must be right; fixed part; attributes."""
    data = message.encode(7)
    length, *header = struct.unpack_from("=IHHII", data)
    assert length == len(data)
    assert length % 4 == 0
    return tuple(header), data[16 : 16 + fixed], attributes(data[16 + fixed :])


def test_an_address_goes_to_an_interface_with_its_broadcast_address() -> None:
    request = messages.add_address(2, IPv4Interface("192.168.1.21/24"))
    header, fixed, found = taken_apart(request, 8)
    assert header == (20, 0x1 | 0x4 | 0x100 | 0x400, 7, 0), "RTM_NEWADDR: ack, replace, create"
    assert fixed == bytes([2, 24, 0, 0]) + struct.pack("=I", 2)
    local = bytes([192, 168, 1, 21])
    assert found == {1: local, 2: local, 4: bytes([192, 168, 1, 255])}


def test_an_ipv6_address_is_usable_at_once() -> None:
    _, fixed, found = taken_apart(messages.add_address(3, IPv6Interface("2001:db8::1/64")), 8)
    assert fixed[:2] == bytes([10, 64])
    assert found[8] == struct.pack("=I", 0x02), "IFA_F_NODAD"


def test_the_default_route_has_a_gateway_and_no_destination() -> None:
    request = messages.default_route(IPv4Address("192.168.1.1"))
    header, fixed, found = taken_apart(request, 12)
    assert header[0] == 24, "RTM_NEWROUTE"
    assert fixed == bytes([2, 0, 0, 0, 254, 4, 0, 1]) + bytes(4)
    assert found == {5: bytes([192, 168, 1, 1])}


def test_a_veth_has_one_end_in_the_bridge_and_one_in_the_namespace() -> None:
    request = messages.veth(
        "nodes-3", 1003, 101, peer="eth0", peer_index=2, peer_mac="02:00:c0:a8:01:15", pid=4711
    )
    header, fixed, found = taken_apart(request, 16)
    assert header[:2] == (16, 0x1 | 0x4 | 0x200 | 0x400), "RTM_NEWLINK: ack, exclusive, create"
    assert struct.unpack("=BxHiII", fixed) == (0, 0, 1003, 1, 1), "index 1003, up"
    assert found[3] == b"nodes-3\0"
    assert found[10] == struct.pack("=I", 101)
    info = attributes(found[18])
    assert info[1] == b"veth"
    (peer,) = attributes(info[2]).values()
    assert struct.unpack_from("=BxHiII", peer) == (0, 0, 2, 0, 0), "index 2, not yet up"
    other = attributes(peer[16:])
    assert other == {
        3: b"eth0\0",
        1: bytes.fromhex("0200c0a80115"),
        19: struct.pack("=I", 4711),
    }


def test_a_bridge_forwards_at_once() -> None:
    _, _, found = taken_apart(messages.bridge("lan", 100, "02:00:00:00:00:64"), 16)
    info = attributes(found[18])
    assert info[1] == b"bridge"
    options = attributes(info[2])
    assert options[5] == options[1] == bytes(4), "no spanning tree, no forward delay"
    assert options[23] == b"\0", "no multicast snooping"


@pytest.mark.parametrize(("up", "flags"), [(True, 1), (False, 0)])
def test_up_and_down_change_one_flag(up: bool, flags: int) -> None:
    _, fixed, found = taken_apart(messages.set_up(5, up=up), 16)
    assert struct.unpack("=BxHiII", fixed) == (0, 0, 5, flags, 1)
    assert found == {}
