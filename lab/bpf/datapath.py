"""One node's datapath: installed, replaced, extended by pods, read by the agent.

    datapath = install(NodeConfig(...))     # devices, maps, programs, hooks; also the upgrade
    attach_pod(config, ifindex)             # a pod's veth, the node's end
    Map.pinned(tables.SERVICES)             # from any process of the node

What the agent has to write, and in which order, so that no packet sees half of something:

Endpoints (`cilium_lxc`): one entry per pod address, and with EndpointFlag.HOST, ifindex 0 one for
the node's address and one for its router address. A pod's entry is written before
`attach_pod`; its `node_mac` answers the pod's ARP for the router address.

Identities (`cilium_ipcache`): every pod address of the cluster (own identity; tunnel_endpoint is
its node's address, 0.0.0.0 for the node's own pods), every router address (REMOTE_NODE with that
node's address as tunnel_endpoint; its own: HOST without), every node address (REMOTE_NODE, its
own HOST, no tunnel_endpoint), and 0.0.0.0/0 WORLD. Pod networks of other nodes may be entered as
prefixes, which then hold for pods not yet known.

Services: to add or change, write backends, then reverse NAT, affinity match, source ranges and
Maglev table, then slots 1..n, and at last slot 0: INTERNAL's before EXTERNAL's, which leads to it,
and the wildcard's after both. To remove: the other way round, and backends when no service uses
them. When a service shrinks, slot 0 goes first (count), then the slots behind it.

    slot 0   address = VIP, ClusterIP, node address or externalIP; dport; proto = 6 or 17
             scope EXTERNAL, and INTERNAL as well only with flags2 TWO_SCOPES (the two traffic
             policies differ: EXTERNAL holds the backends for clients outside, INTERNAL for pods)
             count = backends that take new flows: the active ones; all terminating ones when none
             is active; only this node's for a Local policy. 0: nobody answers
             flags LOADBALANCER, NODEPORT or EXTERNAL_IP, each with ROUTABLE; a ClusterIP has
             none (and is refused to clients outside, reason 174); plus AFFINITY, SOURCE_RANGE,
             EXT_LOCAL, INT_LOCAL as the service says
             rev_nat_index = one id per frontend (address, port, proto), never 0
    slot n   backend_id; backends are keyed by id and shared by all frontends
    wildcard (profile modern) one slot 0 per VIP and ClusterIP: dport 0, proto 0, count 0
    backend  flags = BackendState; a terminating one stays until its pod is gone, so that its
             flows go on

Session affinity: backend_id of slot 0 = timeout in seconds, and `cilium_lb_affinity_match` has an
entry for every (backend, rev_nat_index). Maglev: `maglev.write`. Source ranges: one LPM entry per
prefix, prefixlen = 32 + its length, with the policy (`codes.SourceRange`) that it is listed under.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.bpf import devices, sockets, tcx
from lab.bpf.attach import Hook, attach, attach_xdp, detach, detach_xdp
from lab.bpf.build import compiled, datapath
from lab.bpf.codes import EndpointFlag, Profile
from lab.bpf.config import NodeConfig
from lab.bpf.layout import Layout
from lab.bpf.libbpf import call
from lab.bpf.maps import Map
from lab.bpf.object import BpfObject
from lab.bpf.object_info import pinned_entries
from lab.bpf.tables import (
    AFFINITY6,
    BACKENDS6,
    CT_ANY6,
    CT_TCP6,
    ENDPOINTS,
    FRAGMENTS6,
    GLOBALS,
    MAGLEV6,
    REVERSE_NAT6,
    SERVICES6,
    SNAT6,
)

PROGRAMS = GLOBALS.parent / "programs"
"""Pins of the node's programs, so that a pod can be attached without loading anything."""

TABLES6 = (
    *(CT_TCP6, CT_ANY6, SNAT6, AFFINITY6, FRAGMENTS6),
    *(SERVICES6, BACKENDS6, REVERSE_NAT6, MAGLEV6),
)
SIZES6 = dict.fromkeys((table.name for table in TABLES6), 256)
"""On a node without IPv6 the tables are there, for agent and commands open them all, but tiny."""


def install(
    config: NodeConfig,
    *,
    sizes: Mapping[str, int] | None = None,
    cgroup: Path | None = None,
) -> None:
    """Make devices and maps, load the programs, put them on every hook.

    On a node that has a datapath already its maps are kept with their entries and each program is
    swapped in one step: running flows do not notice. `sizes`: entries of maps by name, only for
    the first installation. `cgroup`: a cgroup v2 folder whose processes' connections to services
    are balanced at the socket (see `sockets.own_cgroup`); None balances them packet by packet.

    MachineError without clang or libbpf; VerifierError or BpfError when the kernel refuses one.
    """
    devices.prepare(config, route_services=cgroup is None)
    for folder in (GLOBALS, PROGRAMS):
        folder.mkdir(parents=True, exist_ok=True)
    indexes = _indexes(config)
    previous = _pinned_socket_programs()
    with BpfObject(datapath(ipv6=config.ipv6 is not None), pin_root=GLOBALS) as loaded:
        constants = config.layout(
            overlay=indexes["overlay"],
            host_cookie=sockets.namespace_cookie(),
            uplink_mac=devices.mac_of(config.uplink),
        )
        without = () if cgroup else sockets.ATTACH_TYPES
        _load(loaded, config, constants, sizes or {}, left_out=without)
        _attach_node(loaded, config, indexes)
        if config.native_xdp:
            _accelerate(indexes["uplink"], loaded, constants)
        else:
            detach_xdp(indexes["uplink"])
        if cgroup is not None:
            programs = {name: loaded.program(name) for name in sockets.ATTACH_TYPES}
            sockets.attach(programs, cgroup, previous=previous)
        _attach_pods(loaded, config)


def attach_pod(config: NodeConfig, ifindex: int) -> None:
    """Put the node's programs on the node's end of a pod's veth."""
    with pinned_program("from_container") as leaving, pinned_program("to_container") as coming:
        _attach_pod(config, ifindex, leaving, coming)


@contextmanager
def pinned_program(name: str) -> Iterator[int]:
    """Descriptor of one of the node's programs."""
    path = PROGRAMS / name
    fd = call("bpf_obj_get", os.fsencode(path), what=f"opening {path}")
    try:
        yield fd
    finally:
        os.close(fd)


def _pinned_socket_programs() -> dict[str, int]:
    """Descriptors of an earlier installation's socket programs; kept open until this process ends,
    which is what makes taking them off possible.
    """
    return {
        name: int(call("bpf_obj_get", os.fsencode(PROGRAMS / name)))
        for name in sockets.ATTACH_TYPES
        if (PROGRAMS / name).exists()
    }


def _indexes(config: NodeConfig) -> dict[str, int]:
    return {
        "uplink": socket.if_nametoindex(config.uplink),
        "host": socket.if_nametoindex(devices.HOST),
        "overlay": socket.if_nametoindex(devices.OVERLAY) if config.tunnel else 0,
    }


def _load(
    loaded: BpfObject,
    config: NodeConfig,
    constants: Layout,
    sizes: Mapping[str, int],
    *,
    left_out: Collection[str],
) -> None:
    """Programs with the node's constants, on maps of these `sizes` or on those that are there."""
    loaded.configure(constants)
    kept = {n: size for n, size in pinned_entries(GLOBALS).items() if n in loaded.maps()}
    loaded.resize({**({} if config.ipv6 else SIZES6), **sizes, **kept})
    loaded.leave_out(left_out)
    loaded.load(maglev_size=config.maglev_size)
    for name in loaded.programs():
        _pin(loaded.program(name), PROGRAMS / name)


def _attach_node(loaded: BpfObject, config: NodeConfig, indexes: Mapping[str, int]) -> None:
    peer = socket.if_nametoindex(devices.PEER)
    hooks = [
        (indexes["host"], Hook.EGRESS, "from_host"),
        (peer, Hook.INGRESS, "to_host"),
        (indexes["uplink"], Hook.EGRESS, "to_netdev"),
        (indexes["uplink"], Hook.INGRESS, "from_netdev"),
    ]
    if config.tunnel:
        hooks[0:0] = [
            (indexes["overlay"], Hook.EGRESS, "to_overlay"),
            (indexes["overlay"], Hook.INGRESS, "from_overlay"),
        ]
    for ifindex, hook, name in hooks:
        _attach(config, ifindex, hook, loaded.program(name))


def _accelerate(uplink: int, loaded: BpfObject, constants: Layout) -> None:
    """The XDP program in front of the uplink's others, on the same maps."""
    with BpfObject(compiled("xdp")) as xdp:
        xdp.configure(constants)
        xdp.share_maps(loaded)
        xdp.load()
        attach_xdp(uplink, xdp.program("xdp_entry"))


def _attach_pods(loaded: BpfObject, config: NodeConfig) -> None:
    """The pods that are there already, when programs are swapped."""
    pods = {info.ifindex for info in _pods()}
    for ifindex in pods & {index for index, _ in socket.if_nameindex()}:
        _attach_pod(
            config, ifindex, loaded.program("from_container"), loaded.program("to_container")
        )


def _attach_pod(config: NodeConfig, ifindex: int, leaving: int, coming: int) -> None:
    _attach(config, ifindex, Hook.EGRESS, coming)
    _attach(config, ifindex, Hook.INGRESS, leaving)


def uses_tcx(profile: Profile) -> bool:
    """Are programs on tcx, where Cilium of this profile puts them? Else they are filters of tc."""
    return profile is Profile.MODERN and tcx.supported()


def _attach(config: NodeConfig, ifindex: int, hook: Hook, program: int) -> None:
    """Put it in its place, and then off the other one, in case that an installation with the other
    profile came before.
    """
    if uses_tcx(config.profile):
        tcx.attach(ifindex, hook, program)
        detach(ifindex, hook)
        return
    attach(ifindex, hook, program)
    if tcx.supported():
        tcx.detach(ifindex, hook)


def _pods() -> list[Any]:
    endpoints: Map[Any, Any] = Map.pinned(ENDPOINTS)
    try:
        return [info for _, info in endpoints.items() if not info.flags & EndpointFlag.HOST]
    finally:
        endpoints.close()


def _pin(program: int, path: Path) -> None:
    """Pin a program under a name that may be taken: the new one replaces the old in one step."""
    draft = path.with_name(f"{path.name}_{os.getpid()}")
    call("bpf_obj_pin", program, os.fsencode(draft), what=f"pinning {path}")
    draft.replace(path)
