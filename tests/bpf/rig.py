"""The real programs on a bench: packets in, verdicts, packets, entries and events out.

A rig is one node (192.168.1.21, pods in 10.0.1.0/24) in a network namespace of its own. Its maps
are not pinned, so any number of rigs run side by side. BPF_PROG_TEST_RUN hands a program one
packet as if it had come in by interface 1, so a rig's pods live on interface 1.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, ip_address, ip_network
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from lab import shell
from lab.bpf import devices, maglev, record, sockets
from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.build import compiled, datapath
from lab.bpf.codes import EndpointFlag, ServiceFlag, ServiceFlag2
from lab.bpf.config import NodeConfig
from lab.bpf.events import EventRing
from lab.bpf.layout import mac, packed
from lab.bpf.maps import Map, PerCpuMap
from lab.bpf.object import BpfObject
from lab.bpf.tables import Table

from .node import (
    CONFIG,
    HOST_ADDRESSES,
    IDENTITIES,
    NETWORK,
    POD_ID,
    POD_LABEL,
    POD_MAC,
    PODS,
    TUNNEL,
    VETH_MAC,
    DirectConfig,
)
from .running import Outcome, run_once

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
OK, SHOT, REDIRECT = 0, 2, 7
"""Verdicts: on to the stack, dropped, sent elsewhere by the program."""

FLOW_TABLES = [t.CT_TCP, t.CT_ANY, t.CT_TCP6, t.CT_ANY6, t.SNAT, t.SNAT6, t.AFFINITY, t.AFFINITY6]
SMALL = dict.fromkeys((table.name for table in FLOW_TABLES), 512)
"""Flow tables allocate all their memory at once; a test needs little of it."""

EXPOSED = ServiceFlag.LOADBALANCER | ServiceFlag.ROUTABLE


@dataclass(frozen=True)
class Backend:
    """A backend of a service on the rig: its id comes from the rig."""

    address: str
    port: int = 80
    state: int = 0


XDP = "xdp_entry"


class Rig:
    """One node's programs, loaded with `config`."""

    def __init__(
        self,
        config: NodeConfig = CONFIG,
        sizes: dict[str, int] | None = None,
        cgroup: Path | None = None,
    ) -> None:
        # Namespaces belong to threads: one thread is the node, the test itself stays outside.
        self._node = ThreadPoolExecutor(max_workers=1)
        self.config = config
        self._sizes = {**SMALL, **(sizes or {})}
        self._backends: dict[tuple[Backend, int], int] = {}
        self._services: dict[tuple[str, int, int, int], int] = {}
        self._indexes = count(1)
        self._cgroup = cgroup
        self._xdp: BpfObject | None = None
        self.inside(self._start)

    def close(self) -> None:
        if self._xdp is not None:
            self.inside(self._xdp.close)
        self.inside(self._object.close)
        self._ring.close()
        self._node.shutdown()

    def run(self, program: str, packet: Any, mark: int = 0) -> Outcome:
        """One packet (Scapy or bytes) through one program."""
        return self.inside(lambda: self._run(program, bytes(packet), mark))

    def run_all(self, program: str, packets: Sequence[bytes]) -> list[Outcome]:
        """Many packets through one program, in order."""
        return self.inside(lambda: [self._run(program, packet) for packet in packets])

    def map(self, table: Table) -> Any:
        """A map of the rig, typed."""
        kind = PerCpuMap if table.per_cpu else Map
        return kind(table, self._object.map(table.name))

    def events(self) -> list[Any]:
        """Headers of the events since the last call, oldest first."""
        parse = {1: s.drop_notify.parse, 4: s.trace_notify.parse}
        return [parse[raw[0]](raw) for raw in self.raw_events()]

    def raw_events(self) -> list[bytes]:
        return [raw for _, raw in self.timed_events()]

    def timed_events(self) -> list[tuple[int, bytes]]:
        """Since the last call, each with the time when it was made."""
        return list(record.timed_events(self._ring.read()))

    def event_counts(self) -> s.event_counts:
        return self._ring.counts()

    def dropped(self) -> dict[int, int]:
        """Packets dropped so far by reason."""
        metrics = dict(self.map(t.METRICS).items())
        return {key.reason: value.count for key, value in metrics.items() if key.reason}

    def service(
        self,
        frontend: str,
        port: int,
        backends: Sequence[Backend],
        *,
        proto: int = 6,
        flags: int = EXPOSED,
        flags2: int | None = None,
        scope: int = 0,
        affinity: int = 0,
        algorithm: int = 0,
        terminating: int = 0,
        anew: bool = False,
    ) -> int:
        """Enter a service in the order the agent does; its rev_nat_index, which it keeps when it is
        entered again, but for one that is made `anew`. `flags2` None: as the node's mode has them.
        """
        known = (frontend, port, proto, scope)
        if anew or known not in self._services:
            self._services[known] = next(self._indexes)
        index = self._services[known]
        version6 = ip_address(frontend).version == 6
        services = self.map(t.SERVICES6 if version6 else t.SERVICES)
        address = packed(ip_address(frontend))
        key = partial(
            s.lb6_key if version6 else s.lb4_key,
            address=address, dport=port, proto=proto, scope=scope,
        )  # fmt: skip
        ids = [self.backend(backend, proto) for backend in backends]
        for slot, backend_id in enumerate(ids, 1):
            chosen = s.lb4_service(backend_id=backend_id, rev_nat_index=index)
            services.update(key(backend_slot=slot), chosen)
            match = s.lb_affinity_match(backend_id=backend_id, rev_nat_id=index)
            self.map(t.AFFINITY_MATCH).update(match, t.Present(1))
        reverse = s.lb6_reverse_nat if version6 else s.lb4_reverse_nat
        self.map(t.REVERSE_NAT6 if version6 else t.REVERSE_NAT).update(
            t.RevNatId(index), reverse(address=address, port=port)
        )
        services.update(
            key(),
            s.lb4_service(
                backend_id=algorithm << 24 | affinity,
                count=len(ids) - terminating,
                qcount=terminating,
                rev_nat_index=index,
                flags=flags,
                flags2=self._mode(proto) if flags2 is None else flags2,
            ),
        )
        return index

    def backend(self, backend: Backend, proto: int = 6) -> int:
        """Enter a backend, or change its state; its id."""
        address = ip_address(backend.address)
        known = (replace(backend, state=0), proto)
        backend_id = self._backends.setdefault(known, len(self._backends) + 1)
        kind = s.lb4_backend if address.version == 4 else s.lb6_backend
        self.map(t.BACKENDS if address.version == 4 else t.BACKENDS6).update(
            t.BackendId(backend_id),
            kind(address=packed(address), port=backend.port, proto=proto, flags=backend.state),
        )
        return backend_id

    def maglev(self, index: int, backends: Sequence[int], *, ipv6: bool = False) -> None:
        """Give a service its lookup table, one backend id for each hash."""
        table = t.MAGLEV6 if ipv6 else t.MAGLEV
        maglev.write(self._object.map(table.name), index, backends)

    def pod(
        self, address: str, endpoint_id: int = POD_ID, label: int = POD_LABEL, ifindex: int = 1
    ) -> None:
        """A pod of this node."""
        self.map(t.ENDPOINTS).update(
            s.endpoint_key.of(ip_address(address)),
            s.endpoint_info(
                ifindex=ifindex,
                lxc_id=endpoint_id,
                mac=_mac(POD_MAC),
                node_mac=_mac(VETH_MAC),
                sec_id=label,
            ),
        )
        self.identity(address, label)

    def identity(self, network: str, label: int, node: str | None = None) -> None:
        """Who the addresses of a network are, and the node that tunnels to them."""
        endpoint = int(IPv4Address(node)) if node else 0
        self.map(t.IPCACHE).update(
            s.ipcache_key.of(ip_network(network)),
            s.remote_endpoint_info(sec_label=label, tunnel_endpoint=endpoint),
        )

    def route(self, address: str, via: str) -> None:
        """A route to another node's pod, as native routing has it."""
        words = ["ip", "route", "add", address, "via", via]
        self.inside(lambda: shell.run(words))

    def inside(self, act: Callable[[], T]) -> T:
        """Do something in the node's network namespace."""
        return self._node.submit(act).result()

    def _start(self) -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare of a network namespace")
        for family in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            Path("/proc/sys/net", family).write_text("1")
        shell.run(["ip", "-batch", "-"], input=NETWORK)
        self._uplink = socket.if_nametoindex("up0")
        self._object = BpfObject(datapath(ipv6=self.config.ipv6 is not None))
        self._constants = self.config.layout(
            overlay=TUNNEL,
            host_cookie=sockets.namespace_cookie(),
            uplink_mac=devices.mac_of("lo"),
        )
        self._object.configure(self._constants)
        self._object.resize(self._sizes)
        self._object.leave_out(() if self._cgroup else sockets.ATTACH_TYPES)
        self._object.load(maglev_size=self.config.maglev_size)
        self._ring = EventRing(
            self._object.map(t.EVENTS_NAME), os.dup(self._object.map(t.EVENT_COUNTS.name))
        )
        if self._cgroup is not None:
            programs = {name: self._object.program(name) for name in sockets.ATTACH_TYPES}
            sockets.attach(programs, self._cgroup, previous={})
        self._cluster()

    def _accelerate(self) -> BpfObject:
        """The XDP program, on the maps of the others."""
        xdp = BpfObject(compiled("xdp"))
        xdp.configure(self._constants)
        xdp.share_maps(self._object)
        xdp.load()
        return xdp

    def _program(self, name: str) -> int:
        if name != XDP:
            return self._object.program(name)
        if self._xdp is None:
            self._xdp = self._accelerate()
        return self._xdp.program(name)

    def _cluster(self) -> None:
        for address in HOST_ADDRESSES:
            self.map(t.ENDPOINTS).update(
                s.endpoint_key.of(ip_address(address)), s.endpoint_info(flags=EndpointFlag.HOST)
            )
        for identity in IDENTITIES:
            self.identity(*identity)
        for pod in PODS:
            self.pod(*pod)

    def _mode(self, proto: int) -> int:
        config = self.config
        direct = isinstance(config, DirectConfig) and proto in config.direct
        return ServiceFlag2.FORWARD_DSR if direct else 0

    def _run(self, program: str, packet: bytes, mark: int = 0) -> Outcome:
        uplink = self._uplink if program == XDP else None
        return run_once(self._program(program), packet, uplink, mark)


def _mac(text: str) -> Any:
    return mac(*bytes.fromhex(text.replace(":", "")))
