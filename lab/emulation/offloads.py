"""What the far end of an XDP uplink must do, as the network cards at both ends of a wire would.

A veth hands over packets as they left the sender's stack: with checksums that some card would
fill in, which XDP has no notion of; so the far end computes them before. And it takes frames that
a program sends back only while it receives by NAPI, which generic receive offload (GRO) turns on.
Source: drivers/net/veth.c; linux/ethtool.h for the requests.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
from ctypes import c_char, c_uint32, c_void_p

SIOCETHTOOL = 0x8946
SET_TX_CHECKSUMS = 0x17
SET_GRO = 0x2C


class _Value(ctypes.Structure):
    """struct ethtool_value."""

    _fields_ = [("command", c_uint32), ("data", c_uint32)]


class _Request(ctypes.Structure):
    """struct ifreq with a pointer in its union."""

    _fields_ = [("name", c_char * 16), ("data", c_void_p), ("rest", c_char * 16)]


def serve_xdp(port: str) -> None:
    """Prepare the interface at the other end of an uplink that will run XDP."""
    _set(port, SET_TX_CHECKSUMS, 0)
    _set(port, SET_GRO, 1)


def _set(interface: str, command: int, data: int) -> None:
    value = _Value(command, data)
    request = _Request(interface.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCETHTOOL, request)
