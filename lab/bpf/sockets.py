"""Socket-level load balancing: the node's own connections to services, by cgroup v2 hooks.

All nodes of a lab may share one cgroup; every node's programs act on sockets of its own network
namespace only. Without cgroup v2 the same connections are balanced packet by packet instead: what
the node sends to services has to be routed to cilium_host for that.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from lab.bpf.libbpf import call, raw

ATTACH_TYPES = {
    "lb_connect4": 10,
    "lb_connect6": 11,
    "lb_sendmsg4": 14,
    "lb_sendmsg6": 15,
    "lb_recvmsg4": 19,
    "lb_recvmsg6": 20,
    "lb_getpeer4": 29,
    "lb_getpeer6": 30,
}
"""Programs and enum bpf_attach_type (linux/bpf.h)."""

ALLOW_MULTI = 2
SO_NETNS_COOKIE = 71


def namespace_cookie() -> int:
    """The kernel's number for this process's network namespace, never used twice."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        return int.from_bytes(
            any_socket.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), "little"
        )


def own_cgroup() -> Path | None:
    """The cgroup v2 folder of this process; None where the machine has no cgroup v2 mounted.

    None for the root as well: programs there would outlive the lab.
    """
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    if own == "/":
        return None
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2" and (Path(folder) / own.lstrip("/")).is_dir():
            return Path(folder) / own.lstrip("/")
    return None


def attach(programs: Mapping[str, int], cgroup: Path, *, previous: Mapping[str, int]) -> None:
    """Put the programs on a cgroup, then take the `previous` ones off.

    For a moment both are there, which harms nobody: a destination that the first one translated
    is no service to the second.
    """
    folder = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name, program in programs.items():
            what = f"attaching {name} to {cgroup}"
            call("bpf_prog_attach", program, folder, ATTACH_TYPES[name], ALLOW_MULTI, what=what)
        for name, program in previous.items():
            raw("bpf_prog_detach2", program, folder, ATTACH_TYPES[name])
    finally:
        os.close(folder)
