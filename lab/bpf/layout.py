"""What every struct shared with the kernel is made of: field types, the base class, addresses."""

from __future__ import annotations

import ctypes
from ctypes import c_uint8, c_uint16, c_uint32
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, TypeVar

from lab.bpf.codes import Family

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

be16: Any = c_uint16.__ctype_be__
be32: Any = c_uint32.__ctype_be__
addr6 = c_uint8 * 16
mac = c_uint8 * 8
"""Six bytes of an Ethernet address and two of padding."""

S = TypeVar("S", bound="Layout")


class Layout(ctypes.Structure):
    """A struct that compares and hashes by its bytes and prints its fields."""

    @classmethod
    def parse(cls: type[S], raw: bytes) -> S:
        """The struct at the beginning of `raw`; ValueError when that is too short."""
        return cls.from_buffer_copy(raw)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and bytes(self) == bytes(other)

    def __hash__(self) -> int:
        return hash(bytes(self))

    def __repr__(self) -> str:
        shown = []
        for name in (field[0] for field in type(self)._fields_):
            value = getattr(self, name)
            plain = bytes(value).hex() if isinstance(value, ctypes.Array) else value
            shown.append(f"{name}={plain}")
        return f"{type(self).__name__}({', '.join(shown)})"


def packed(address: Address) -> Any:
    """An address as its field wants it: an integer (be32) or 16 bytes."""
    if address.version == 4:
        return int(address)
    return addr6(*address.packed)


def wide(address: Address) -> Any:
    return addr6(*address.packed.ljust(16, b"\0"))


def family_of(address: Address | Network) -> Family:
    return Family.IPV4 if address.version == 4 else Family.IPV6
