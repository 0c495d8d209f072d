"""How soon a browser in the LAN shows Hubble's page: its first paint, and the map with cards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from statistics import median

from lab.bench.model import Row
from lab.bench.running import address_of, answers, apply, running
from lab.bench.workload import deployment, load_balancer
from lab.sandbox.handle import Lab

TARGET = 0.5
"""Seconds from the beginning of the navigation."""

CLIENT = "client1"
EXPOSE = (
    *("-n", "kube-system", "expose", "deployment", "hubble-ui", "--type=LoadBalancer"),
    *("--port=80", "--target-port=8081", "--name", "hubble-ui-lb"),
)
PAGE = "172.16.10.1"
"""The address that the pool hands out second."""


def measure(rounds: int) -> Iterator[Row]:
    with running("page") as lab:
        apply(lab, load_balancer("web1", [("TCP", 80)]), deployment("web1", "nginx"))
        answers(lab, CLIENT, f"http://{address_of(lab, 'web1')}/")
        lab.kubectl(*EXPOSE)
        answers(lab, CLIENT, f"http://{PAGE}/")
        looks = [_look(lab) for _ in range(rounds)]
    for name, key in (("Hubble's page, first paint", "paint"), ("its map drawn", "map")):
        yield Row(name, "s", median(look[key] for look in looks), None, "", TARGET)


def _look(lab: Lab) -> dict[str, float]:
    """Seconds to each event, by a browser that has never seen the page."""
    argv = [sys.executable, "-m", "lab.bench.programs.browse", f"http://{PAGE}/default"]
    seconds: dict[str, float] = lab.node(CLIENT).run(argv, timeout=90).json()
    return seconds
