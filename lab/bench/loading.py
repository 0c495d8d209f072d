"""Ten thousand services as an agent takes them over: computed, and written into a node's maps."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Sequence

from lab import shell
from lab.bench.model import Row
from lab.bench.paths.isolation import isolated

COUNT = 10_000
MEMORY, SECONDS = 200.0, 0.3


def measure(rounds: int) -> Iterator[Row]:
    for profile in ("cilium-1.10", "modern"):
        words = [sys.executable, "-m", "lab.bench.programs.load_maps", str(COUNT), profile]
        taken = [json.loads(shell.run(isolated(words), timeout=120).out) for _ in range(rounds)]
        what = f"{COUNT:,} services, {profile}"
        yield _row(f"{what}: computed", "s", _median(taken, "computed"), SECONDS)
        yield _row(f"{what}: into the maps", "s", _median(taken, "written"), SECONDS)
        yield _row(f"{what}: agent and maps", "MiB", _median(taken, "mebibytes"), MEMORY)


def _median(taken: Sequence[dict[str, float]], name: str) -> float:
    return statistics.median(one[name] for one in taken)


def _row(name: str, unit: str, ours: float, target: float) -> Row:
    return Row(name, unit, ours, None, "", target)
