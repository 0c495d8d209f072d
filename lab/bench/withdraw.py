"""A node loses its last pod of a service with externalTrafficPolicy Local.

From the moment that a watcher of the API hears of it until the node's withdrawal (RFC 4271,
section 4.3) comes to the router, and until the router's kernel has no route any more.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from lab.bench.apply import next_hops
from lab.bench.model import Row
from lab.bench.running import address_of, answers, apply, running
from lab.bench.workload import deployment, load_balancer
from lab.sandbox.handle import Lab
from lab.scenario.capture import capture
from lab.scenario.lines import Lines
from lab.wait import until

TARGET = 0.1
"""Seconds."""
WITHIN = 30.0
ROUTER = "bgp-router1"
SLICES = (
    *("kubectl", "get", "endpointslices", "--selector", "kubernetes.io/service-name=web"),
    *("--watch", "--output", r'jsonpath={.endpoints[*].conditions.ready}{"\n"}'),
)
"""Prints `true` for each ready pod, and a line without a `true` when there is none any more."""
UPDATE = "tcp port 179 and tcp[((tcp[12] & 0xf0) >> 2) + 18] == 2"
"""The type of the BGP message that a segment begins with: behind 16 bytes of marker and 2 of
length (RFC 4271, section 4.1)."""


def measure(rounds: int) -> Iterator[Row]:
    with running("withdraw") as lab, ExitStack() as watching:
        service = load_balancer("web", [("TCP", 80)], local=True)
        apply(lab, service, deployment("web", "nginx"))
        address = address_of(lab, "web")
        answers(lab, "client1", f"http://{address}/")
        watch = _Watch(lab, address, watching)
        seconds = [watch.last_pod_goes() for _ in range(rounds)]
    wire, kernel = (statistics.median(column) for column in zip(*seconds, strict=True))
    yield Row("last local pod gone to UPDATE on the router's wire", "s", wire, None, "", TARGET)
    yield Row("last local pod gone to no route on the router", "s", kernel, None, "", TARGET)


class _Watch:
    """What the API, the wire and the router's kernel tell, each line with its moment."""

    def __init__(self, lab: Lab, address: str, watching: ExitStack) -> None:
        self._lab, self._address = lab, address
        router, leg = lab.node(ROUTER), lab.plan.node(ROUTER).interfaces[0].name
        slices = watching.enter_context(lab.control_node().spawn(SLICES))
        routes = watching.enter_context(router.spawn(["ip", "-o", "monitor", "route"]))
        self._slices, self._routes = Lines(slices.stdout), Lines(routes.stdout)
        self._updates = watching.enter_context(capture(router, ROUTER, leg, UPDATE))

    def last_pod_goes(self) -> tuple[float, float]:
        """Seconds from the news to the UPDATE, and to the route's end; the pod is back after it."""
        before = [len(told()) for told in self._told]
        self._scale(0)
        self._has_next_hops(0)
        gone, update, deleted = (
            until(partial(_news, told, old), bool, within=WITHIN, what="what was told")[0]
            for told, old in zip(self._told, before, strict=True)
        )
        self._scale(1)
        self._has_next_hops(1)
        return update - gone, deleted - gone

    @property
    def _told(self) -> tuple[Callable[[], list[float]], ...]:
        """Moments: of no ready pod, of UPDATEs, of the route's deletions."""
        return (
            lambda: [moment for moment, line in self._slices.stamped() if "true" not in line],
            lambda: [moment for moment, _ in self._updates.stamped()],
            lambda: [
                moment
                for moment, line in self._routes.stamped()
                if line.startswith(f"Deleted {self._address} ")
            ],
        )

    def _scale(self, pods: int) -> None:
        self._lab.kubectl("scale", "deployment", "web", "--replicas", str(pods))

    def _has_next_hops(self, count: int) -> None:
        until(
            lambda: next_hops(self._lab, self._address),
            count.__eq__,
            within=WITHIN,
            what=f"next hops of {self._address}",
        )


def _news(told: Callable[[], list[float]], old: int) -> list[float]:
    return told()[old:]
