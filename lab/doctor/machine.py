"""What the machine has besides its kernel: tools, Python packages, cores, memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from lab.doctor.finding import Finding, found
from lab.errors import MachineError
from lab.sandbox.cgroup import hierarchy
from lab.setup import environment
from lab.setup.packages import Package, find_program, needed

TOOLS = "tools"
MACHINE = "machine"

WANTED_CORES = 2
WANTED_MEMORY = 1 << 30
"""Bytes that should be available before a lab starts: it takes about half of that."""


def machine() -> Iterator[Finding]:
    """Cores, memory, control groups, Python."""
    cores = os.cpu_count() or 1
    yield found(
        MACHINE, "cores", cores >= WANTED_CORES, seen=str(cores), cost="one core: bring-up is slow"
    )
    free = available_memory(Path("/proc/meminfo").read_text())
    yield found(
        MACHINE,
        "memory",
        free >= WANTED_MEMORY,
        seen=f"{free >> 20} MiB available",
        cost=f"only {free >> 20} MiB available: close other programs",
    )
    yield _cgroups()
    version = ".".join(map(str, sys.version_info[:3]))
    full = environment.filled_for(test=False)
    yield found(MACHINE, "Python packages", full, seen=f"{environment.VENV}, Python {version}")


def available_memory(meminfo: str) -> int:
    """Bytes that programs can still get, from the text of /proc/meminfo."""
    fields = dict(line.split(":", 1) for line in meminfo.splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024


def tools() -> Iterator[Finding]:
    """Every program that the lab calls, those of the tests as well."""
    for package in needed(test=False):
        yield _tool(package, "")
    for package in set(needed(test=True)) - set(needed(test=False)):
        yield _tool(package, f"tests that need it are skipped: {package.use}")


def _tool(package: Package, cost: str) -> Finding:
    name = " ".join(package.programs) or package.names[0]
    present = package.present()
    seen = find_program(package.programs[0]) if package.programs else package.files[0]
    return found(TOOLS, name, present, seen=seen or package.use, cost=cost)


def _cgroups() -> Finding:
    try:
        return found(MACHINE, "cgroup v2", True, seen=str(hierarchy()))
    except MachineError as error:
        return found(MACHINE, "cgroup v2", False, seen=str(error))
