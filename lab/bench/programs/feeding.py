"""`feeding ROUNDS`, in namespaces of its own: what a packet costs the programs.

The uplink's program of one node, loaded as a node loads it, runs behind `feed` (`feed.bpf.c`),
which gives it a fresh packet of another flow each time. From that the time of `feed` with an
empty program behind it is taken off. The ring of events is emptied in between, as an agent does:
in a full one an event would cost next to nothing. Prints JSON: nanoseconds by case, one value a
round.
"""

# ctypes wants its fields in a list (RUF012).
# ruff: noqa: RUF012

from __future__ import annotations

import ctypes
import json
import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ctypes import c_uint8, c_uint32
from dataclasses import dataclass, replace
from errno import EINVAL
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.build import compiled, datapath
from lab.bpf.codes import Identity, Profile, ServiceFlag
from lab.bpf.config import NodeConfig
from lab.bpf.events import EventRing
from lab.bpf.layout import Layout, be32, packed
from lab.bpf.libbpf import TestRunOpts, call
from lab.bpf.maps import Map
from lab.bpf.object import BpfObject
from lab.bpf.sockets import ATTACH_TYPES
from lab.errors import BpfError

LOOPBACK = 1
"""Test packets come in by this interface; the pod and the tunnel are said to be there as well."""
VIP, POD, REMOTE_POD = "172.16.10.0", "10.0.1.5", "10.0.2.5"
SYN, ACK = 0x02, 0x10
NOTHING, REDIRECT = 0xFFFF, 7
"""Verdicts: that of the empty program, and TC_ACT_REDIRECT."""
IPV4_FRAME = bytes(12) + b"\x08\x00"
"""What tells the kernel which kind of packet it is; the feeder writes the rest."""

NODE = NodeConfig(
    node_ip=IPv4Address("192.168.1.21"),
    router_ip=IPv4Address("10.0.1.1"),
    pod_cidr=IPv4Network("10.0.1.0/24"),
    cluster_cidr=IPv4Network("10.0.0.0/16"),
)


@dataclass(frozen=True)
class Case:
    """Packets of `flows` flows in turn; 0: every packet begins one.

    The older profile reports every packet that it sends to another node, and so makes an event
    of each.
    """

    backend: str
    flags: int
    flows: int
    profile: Profile = Profile.CILIUM_1_10


CASES = {
    "known, local": Case(POD, ACK, 1000),
    "new, local": Case(POD, SYN, 0),
    "known, remote": Case(REMOTE_POD, ACK, 1000, Profile.MODERN),
    "new, remote": Case(REMOTE_POD, SYN, 0, Profile.MODERN),
    "known, remote reported": Case(REMOTE_POD, ACK, 1000),
}
PACKETS, BATCHES = 200, 20
"""Packets of one batch, few enough that most batches are not interrupted, and batches of a round;
the new flows of seven rounds find a port each."""


class feed_config(Layout):  # noqa: N801 - the struct's own name in feed.bpf.c
    _fields_ = [
        ("vip", be32),
        ("first_client", be32),
        ("flows", c_uint32),
        ("tcp_flags", c_uint8),
        ("pad", c_uint8 * 3),
    ]


def main(rounds: int) -> None:
    with _fed() as sides:
        spent = {name: [_net(*side) for _ in range(rounds)] for name, side in sides.items()}
    sys.stdout.write(json.dumps(spent))


Side = tuple[Case, BpfObject, int, EventRing]
"""A case, its feeder, the descriptor of the program that is measured, and where its events go."""


@contextmanager
def _fed() -> Iterator[dict[str, Side]]:
    """Every case on tables of its own."""
    with ExitStack() as stack:
        sides = {}
        for name, case in CASES.items():
            node, feeder = (stack.enter_context(make(case)) for make in (_node, _feeder))
            counts = os.dup(node.map(t.EVENT_COUNTS.name))
            ring = stack.enter_context(EventRing(node.map(t.EVENTS_NAME), counts))
            sides[name] = (case, feeder, node.program("from_netdev"), ring)
        yield sides


def _net(case: Case, feeder: BpfObject, program: int, ring: EventRing) -> float:
    """Nanoseconds a packet without what feeding it takes."""
    _run(feeder, program, case.flows or 1)  # from here on a known flow is one
    empty = feeder.program("nothing")
    loaded = statistics.median(_batch(feeder, program, ring) for _ in range(BATCHES))
    return loaded - statistics.median(_run(feeder, empty, PACKETS) for _ in range(BATCHES))


def _batch(feeder: BpfObject, program: int, ring: EventRing) -> float:
    while ring.read():
        pass
    return _run(feeder, program, PACKETS)


def _run(feeder: BpfObject, behind: int, runs: int) -> float:
    call(
        "bpf_map_update_elem",
        feeder.map("measured"),
        bytes(c_uint32(0)),
        bytes(c_uint32(behind)),
        0,
        what="putting a program behind the feeder",
    )
    packet = ctypes.create_string_buffer(IPV4_FRAME, 64)
    options = TestRunOpts(
        sz=ctypes.sizeof(TestRunOpts),
        data_in=ctypes.addressof(packet),
        data_size_in=len(packet),
        repeat=runs,
    )
    call("bpf_prog_test_run_opts", feeder.program("feed"), ctypes.byref(options), what="feeding")
    if options.retval not in (NOTHING, REDIRECT):
        raise BpfError(f"the program did not send the packet on: verdict {options.retval}", EINVAL)
    return float(options.duration)


def _feeder(case: Case) -> BpfObject:
    feeder = BpfObject(compiled("feed"))
    client = int(IPv4Address("192.168.10.1"))
    feeder.configure(
        feed_config(
            vip=packed(ip_address(VIP)),
            first_client=client,
            flows=case.flows,
            tcp_flags=case.flags,
        )
    )
    feeder.load()
    return feeder


def _node(case: Case) -> BpfObject:
    node = BpfObject(datapath(ipv6=False))
    config = replace(NODE, profile=case.profile, maglev=False)
    node.configure(config.layout(overlay=LOOPBACK, host_cookie=0, uplink_mac=bytes(6)))
    node.leave_out(ATTACH_TYPES)
    node.load(maglev_size=config.maglev_size)
    for table, key, value in _entries(case.backend):
        Map[Any, Any](table, node.map(table.name)).update(key, value)
    return node


def _entries(backend: str) -> Iterator[tuple[t.Table, Layout, Layout]]:
    """A pod here and one elsewhere, and a service with one backend."""
    address, vip = packed(ip_address(backend)), packed(ip_address(VIP))
    flags = ServiceFlag.LOADBALANCER | ServiceFlag.ROUTABLE
    pod = s.endpoint_info(ifindex=LOOPBACK, lxc_id=1, sec_id=1000)
    far = s.remote_endpoint_info(sec_label=1000, tunnel_endpoint=int(IPv4Address("192.168.1.22")))
    world = s.remote_endpoint_info(sec_label=Identity.WORLD)
    yield t.ENDPOINTS, s.endpoint_key.of(ip_address(POD)), pod
    yield t.IPCACHE, s.ipcache_key.of(ip_network(REMOTE_POD)), far
    yield t.IPCACHE, s.ipcache_key.of(ip_network("0.0.0.0/0")), world
    yield t.BACKENDS, t.BackendId(1), s.lb4_backend(address=address, port=8080, proto=6)
    yield t.REVERSE_NAT, t.RevNatId(1), s.lb4_reverse_nat(address=vip, port=80)
    for slot, value in (
        (1, s.lb4_service(backend_id=1, rev_nat_index=1)),
        (0, s.lb4_service(count=1, rev_nat_index=1, flags=flags)),
    ):
        yield t.SERVICES, s.lb4_key(address=vip, dport=80, proto=6, backend_slot=slot), value


if __name__ == "__main__":
    main(int(sys.argv[1]))
