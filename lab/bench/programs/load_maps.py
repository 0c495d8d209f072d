"""`load_maps COUNT PROFILE`: prints what loading that many services takes.

In namespaces of its own. Each service has two pods of one of a hundred deployments, and a
LoadBalancer address; so with Maglev there are a hundred different tables. Processor time, since
waiting for others is no cost of ours.
"""

from __future__ import annotations

import ctypes
import gc
import json
import re
import resource
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from lab import shell
from lab.agent.maps import NodeMaps
from lab.agent.profile import profile
from lab.agent.services.model import Backend, Balanced, Frontend, Kind, Protocol, Settings, Slot
from lab.agent.services.table import Table
from lab.bench.paths.many_services import FIRST
from lab.bench.programs.on_node import config
from lab.bpf import datapath
from lab.bpf.maps import Map
from lab.bpf.tables import GLOBALS, MAGLEV
from lab.sandbox.fork_server import GARBAGE

DEPLOYMENTS = 100
TABLE = 4 * 16381
"""Bytes of a Maglev table."""


def services(count: int) -> Iterator[tuple[str, tuple[Balanced, ...]]]:
    for n in range(count):
        pods = (IPv4Address("10.0.1.0") + n % DEPLOYMENTS + side * 256 for side in (0, 1))
        frontend = Frontend(FIRST + n, 80, Protocol.TCP)
        backends = tuple(Backend(pod, 8080, Protocol.TCP) for pod in pods)
        slot = Slot(f"bench/{n}", "http", Kind.LOAD_BALANCER)
        yield slot.service, (Balanced(slot, frontend, Settings(), backends),)


def memory() -> int:
    """Bytes of this process and of the maps, as the kernel accounts for them."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    maps = 0
    for path in GLOBALS.iterdir():
        fd = ctypes.CDLL("libbpf.so.1").bpf_obj_get(bytes(path))
        told = re.search(r"memlock:\s+(\d+)", Path(f"/proc/self/fdinfo/{fd}").read_text())
        maps += int(told.group(1)) if told else 0
    with Map[Any, Any].pinned(MAGLEV) as tables:
        inner = {value for _, value in tables.raw_items()}
    return own + maps + len(inner) * TABLE


def main(count: int, name: str) -> None:
    shell.run(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far"])
    shell.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"])
    datapath.install(config(1))
    changes = dict(services(count))
    table, maps, before = Table(profile(name, {}), {}), NodeMaps([4]), memory()
    gc.set_threshold(*GARBAGE)  # as every agent does
    began = time.process_time()
    operations = table.update(changes)
    computed = time.process_time()
    maps.carry_out(operations)
    written = time.process_time()
    told = {
        "computed": computed - began,
        "written": written - computed,
        "mebibytes": (memory() - before) / (1 << 20),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
