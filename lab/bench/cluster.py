"""The cluster's side: an address for a service, a thousand services on six nodes, long lists."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lab.bench.memory import pss
from lab.bench.model import Row
from lab.bench.programs.api_timing import LONG
from lab.bench.running import running
from lab.bench.workload import Object
from lab.bpf.maps import Map
from lab.bpf.structs import lb4_key, lb4_service
from lab.bpf.tables import GLOBALS, SERVICES
from lab.sandbox.cgroup import Cgroup
from lab.sandbox.handle import Lab
from lab.wait import until

NUMBER = 1000
BACKENDS = 5
"""Services, and endpoints of each."""
WITHIN = 180.0
"""Seconds that the nodes may take; a bound, not the target."""
PORT = 80

Entry = tuple[lb4_key, lb4_service]


def measure(rounds: int) -> Iterator[Row]:
    """The services come first, so that the memory is that of all objects together."""
    with running("cluster") as lab:
        address = _timed(lab, "address", rounds)
        yield _row("service applied to EXTERNAL-IP (HTTP)", "ms", address * 1000, 100)
        applied = _applied(lab)
        yield _row(f"{NUMBER:,} services in the maps of all nodes", "s", applied, 20)
        _timed(lab, "fill", LONG)
        yield _row(f"list of {LONG:,} objects (HTTP)", "s", _timed(lab, "list", rounds), 1)
        memory = pss(_api_server(lab)) / (1 << 20)
        yield _row("API server's memory then (PSS)", "MiB", memory, 150)


def _row(name: str, unit: str, ours: float, target: float) -> Row:
    return Row(name, unit, ours, None, "", target)


def _timed(lab: Lab, what: str, number: int) -> float:
    """Seconds, measured on the management node."""
    argv = [sys.executable, "-m", "lab.bench.programs.api_timing", what, str(number)]
    return float(lab.control_node().run(argv, timeout=WITHIN).out)


def _applied(lab: Lab) -> float:
    """One `kubectl apply -f` of everything, until the last node has all of it.

    The nodes' maps are read from here, through the lab's first process, one node at a time: a
    look costs the lab nothing but the reading, and the last node to be complete sets the time.
    """
    value = {"apiVersion": "v1", "kind": "List", "items": list(manifests(NUMBER))}
    text = json.dumps(value)
    nodes = [node.name for node in lab.plan.kube_nodes]
    began = time.monotonic()
    lab.kubectl("apply", "-f", "-", input=text, timeout=WITHIN)
    for node in nodes:
        _wait_for(lab, node)
    return time.monotonic() - began


def _wait_for(lab: Lab, node: str) -> None:
    root = Path(f"/proc/{lab.pid1}/root/proc/{lab.holders()[node]}/root{GLOBALS}")
    services: Map[lb4_key, lb4_service] = Map.pinned(SERVICES, root)
    with services:
        until(
            # Counting is cheap; only a map that is large enough is looked at more closely.
            lambda: len(services.raw_items()) > NUMBER * BACKENDS and complete(services.items()),
            NUMBER.__eq__,
            within=WITHIN,
            what=f"complete services on {node}",
        )


def complete(entries: Iterable[Entry]) -> int:
    """Frontends with `BACKENDS` backends, each in its slot."""
    wanted: set[tuple[int, int, int]] = set()
    slots: dict[tuple[int, int, int], set[int]] = {}
    for key, value in entries:
        frontend = (int(key.address), int(key.dport), key.proto)
        if key.backend_slot:
            slots.setdefault(frontend, set()).add(key.backend_slot)
        elif value.count == BACKENDS:
            wanted.add(frontend)
    full = set(range(1, BACKENDS + 1))
    return sum(slots.get(frontend) == full for frontend in wanted)


def manifests(number: int) -> Iterator[Object]:
    """Services without a selector and an EndpointSlice of each; no two endpoints are the same."""
    for one in range(number):
        name = f"many-{one}"
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"ports": [{"name": "http", "port": PORT, "protocol": "TCP"}]},
        }
        yield _slice(name, 10_000 + one)


def _slice(service: str, port: int) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": service, "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": [f"10.0.{node}.250"], "conditions": {"ready": True}}
            for node in range(1, BACKENDS + 1)
        ],
    }


def _api_server(lab: Lab) -> int:
    title = f"lab {lab.name}: api-server".encode()
    for pid in Cgroup.of(lab.name).pids():
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(title):
            return pid
    raise LookupError(f"lab {lab.name} has no API server")
