"""From the start of `kubectl apply` to six next hops for the new address on the router."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

from lab.bench.model import Row
from lab.bench.running import address_of, answers, apply, running
from lab.bench.workload import deployment, load_balancer
from lab.sandbox.handle import Lab
from lab.wait import until

TARGET = 0.3
"""Seconds."""
WITHIN = 30.0


def measure(rounds: int) -> Iterator[Row]:
    with running("apply") as lab:
        apply(lab, load_balancer("web", [("TCP", 80)]), deployment("web", "nginx"))
        answers(lab, "client1", f"http://{address_of(lab, 'web')}/")
        seconds = median(_announced(lab, number) for number in range(1, rounds + 1))
    yield Row("kubectl apply to six next hops", "s", seconds, None, "", TARGET)


def _announced(lab: Lab, number: int) -> float:
    """One more service of the same pods; the pool hands out the next address."""
    service = load_balancer(f"web-{number}", [("TCP", 80)])
    service["spec"]["selector"] = {"app": "web"}
    cluster = lab.plan.cluster
    assert cluster is not None
    address = str(cluster.vip_pool[number])
    nodes = len(lab.plan.kube_nodes)
    began = time.monotonic()
    apply(lab, service)
    until(lambda: next_hops(lab, address), nodes.__eq__, within=WITHIN, what=address)
    return time.monotonic() - began


def next_hops(lab: Lab, address: str) -> int:
    """How many next hops the router's kernel has for an address; 0 without a route."""
    routes = lab.node("bgp-router1").run(["ip", "-j", "route", "show", address]).json()
    return sum(len(route.get("nexthops", [route])) for route in routes)
