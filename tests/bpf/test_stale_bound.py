"""A socket that is bound to a device, and whose backend is gone: ss(8) writes its address with a
device in it, which it does not read.
"""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.layout import wide
from lab.bpf.stale_sockets import end_stale

from .family import BOTH, Family
from .rig import Rig

SO_COOKIE = 57


@BOTH
def test_a_socket_that_is_bound_to_a_device_is_ended_too(dual: Rig, family: Family) -> None:
    kind = socket.AF_INET6 if ":" in family.node else socket.AF_INET

    def act() -> tuple[list[str], int]:
        with socket.socket(kind, socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"up0")
            client.connect((family.gateway, 53))
            cookie = int.from_bytes(client.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")
            gone = ip_address(family.gateway)
            dual.map(t.SOCKETS).update(
                s.socket_peer(cookie=cookie, address=wide(gone), port=53), s.nat_target()
            )
            ended = end_stale(dual.map(t.SOCKETS), [])
            told = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            return [str(each.address) for each in ended], told

    assert dual.inside(act) == ([family.gateway], errno.ECONNABORTED)
