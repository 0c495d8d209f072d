"""Memory of a whole lab: the proportional set size of every process in it.

PSS counts a page that several processes share in equal parts, so the sum is what the machine
gives (Documentation/filesystems/proc.rst, smaps_rollup).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from lab.bench.model import Row
from lab.bench.running import address_of, answers, apply, running
from lab.bench.workload import deployment, load_balancer
from lab.sandbox.cgroup import Cgroup

TARGET = 500.0
"""MiB."""


def measure(rounds: int) -> Iterator[Row]:
    with running("memory") as lab:
        apply(lab, load_balancer("web1", [("TCP", 80)]), deployment("web1", "nginx"))
        answers(lab, "client1", f"http://{address_of(lab, 'web1')}/")
        cgroup = Cgroup.of(lab.name)
        processes = sum(1 for _ in cgroup.pids())
        mebibytes = median(sum(map(pss, cgroup.pids())) / (1 << 20) for _ in range(rounds))
    yield Row(f"memory, {processes} processes (PSS)", "MiB", mebibytes, None, "", TARGET)


def pss(pid: int) -> int:
    """Bytes; 0 for a process that ended meanwhile."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) << 10
