"""What a fault costs: a steady load and the router's routes, watched from before it to after it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from lab import wait
from lab.errors import InputError, WaitTimeout
from lab.faults.fault import Fault
from lab.faults.standing import struck
from lab.sandbox.place import Place
from lab.scenario.bounds import Bound
from lab.scenario.capture import Capture, capture
from lab.scenario.lines import Lines
from lab.scenario.load.cost import Cost
from lab.scenario.load.loaded import loaded
from lab.topology.plan import Interface, NodeKind

KEPT = 10
"""Connections that each client holds open."""

AFTERWARDS = 100
"""New connections that are answered after the mending before a fault counts as over: about two
seconds, in which a session may still end that was harmed."""

WHOLE_AGAIN = Bound("the router has all next hops again", 30)

Change = tuple[float, frozenset[str]]
"""A moment (CLOCK_MONOTONIC), and the next hops from then on."""

_HOP = re.compile(r"via (\S+)")
_SENT = re.compile(r"> (?P<hop>[0-9a-f:]{17}), .*?length \d+: (?P<flow>\S+) > ")


@dataclass(frozen=True)
class Bill:
    """What a fault cost; seconds, from the fault on unless said otherwise."""

    cost: Cost
    withdrawn: float | None
    """Until the router had fewer next hops; None when it kept them all."""
    recovered: float | None
    """From mending until the router had all of them again; None when it has not in time."""
    moved: int
    """Connections that were sent to one node first and to another one later."""

    def to_json(self) -> dict[str, Any]:
        own = {"withdrawn": self.withdrawn, "recovered": self.recovered, "moved": self.moved}
        return {**vars(self.cost), **own}

    def lines(self) -> Iterator[str]:
        """In words, a fact a line."""
        hops = "the router kept all next hops"
        if self.withdrawn is not None:
            hops = f"the router withdrew next hops after {self.withdrawn:.3f} s"
            hops += (
                f", and had all of them {self.recovered:.3f} s after the mending"
                if self.recovered is not None
                else f", and had not all of them again {WHOLE_AGAIN.seconds:g} s after the mending"
            )
        yield hops
        yield str(self.cost)
        yield f"connections moved to another node: {self.moved}"
        yield f"segments that the clients sent in vain: {self.cost.lost}"


class RouteWatch:
    """The next hops of an address on the router, and when they changed: `ip monitor route`."""

    def __init__(self, address: str, first: frozenset[str], lines: Lines) -> None:
        self.first = first
        self._address = address
        self._lines = lines

    def changes(self) -> list[Change]:
        """Every state after the first one with its time (CLOCK_MONOTONIC)."""
        return [
            (moment, hops_of(line))
            for moment, line in self._lines.stamped()
            if self._address in line.removeprefix("Deleted ").split(" ")[:1]
        ]

    def now(self) -> frozenset[str]:
        told = self.changes()
        return told[-1][1] if told else self.first


def hops_of(line: str) -> frozenset[str]:
    """The next hops of a route as `ip -o route` prints it; none of one that is deleted."""
    return frozenset() if line.startswith("Deleted ") else frozenset(_HOP.findall(line))


def moved(printed: Sequence[str]) -> set[str]:
    """Sources of a capture (tcpdump -e) whose packets were sent to more than one MAC address.

    Resets do not count: a host sends them for connections that it no longer knows.
    """
    hops: dict[str, set[str]] = {}
    for line in printed:
        sent = _SENT.search(line)
        if sent and "Flags [R" not in line:
            hops.setdefault(sent["flow"], set()).add(sent["hop"])
    return {flow for flow, nodes in hops.items() if len(nodes) > 1}


def measured(lab: Place, fault: Fault, host: str, port: int, seconds: float) -> Bill:
    """Strike a fault for some seconds under load, mend it, and wait until all is well again."""
    with ExitStack() as running:
        watch = running.enter_context(_routes(lab, host))
        sent = running.enter_context(sent_on(lab, host, port))
        load = running.enter_context(loaded(lab, host, port, kept=KEPT))
        start = time.monotonic()
        with struck(lab, fault):
            wait.pause(seconds)
        mended = time.monotonic()
        _await_whole(watch)
        load.until_steady(AFTERWARDS)
        load.finish()
        _await_whole(watch)  # a session that ended may have been noticed only now
        cost, flows = load.cost(start), len(moved(sent.printed()))
    withdrawn, recovered = hop_times(watch.first, watch.changes(), start=start, mended=mended)
    return Bill(cost, withdrawn, recovered, flows)


def hop_times(
    first: frozenset[str], changes: Sequence[Change], *, start: float, mended: float
) -> tuple[float | None, float | None]:
    """From a fault until the router had fewer next hops than at first, and from the mending until
    it had all of them for good: a Bill's `withdrawn` and `recovered`.
    """
    fewer = [moment for moment, hops in changes if moment >= start and first - hops]
    if not fewer:
        return None, 0.0
    whole = [moment for moment, hops in changes if moment > fewer[-1] and not first - hops]
    return fewer[0] - start, max(0.0, whole[0] - mended) if whole else None


def _await_whole(watch: RouteWatch) -> None:
    """Wait until the router has all next hops again, or has not in time."""
    with suppress(WaitTimeout):
        wait.until(
            watch.now,
            lambda hops: hops >= watch.first,
            within=WHOLE_AGAIN.seconds,
            what="all next hops",
        )


@contextmanager
def _routes(lab: Place, address: str) -> Iterator[RouteWatch]:
    router, _ = _uplink(lab)
    with lab.node(router).spawn(["ip", "-o", "monitor", "route"]) as child:
        lines = Lines(child.stdout)
        family = "-6" if ":" in address else "-4"
        shown = lab.node(router).run(["ip", "-o", family, "route", "show", address])
        hops = hops_of(shown.out)
        if not hops:
            raise InputError(
                f"{address} is announced by no node: {router} has no route to it\n"
                "  `lab kubectl get svc -A` tells the services' external addresses"
            )
        yield RouteWatch(address, hops, lines)


@contextmanager
def sent_on(lab: Place, address: str, port: int) -> Iterator[Capture]:
    """What the router sends to the nodes for a service, with the MAC address of the node."""
    router, leg = _uplink(lab)
    # Of the router's own MAC address: what a node sends back is none of it.
    expression = f"ether src {leg.mac} and dst host {address} and tcp dst port {port}"
    with capture(lab.node(router), router, leg.name, expression, options=("-e",)) as taken:
        yield taken


def _uplink(lab: Place) -> tuple[str, Interface]:
    """The router that the nodes peer with, and its interface towards them."""
    peer = lab.plan.cluster.router if lab.plan.cluster else None
    for node in lab.plan.nodes:
        for leg in node.interfaces:
            if node.kind is NodeKind.ROUTER and leg.address.ip == peer:
                return node.name, leg
    raise InputError(f"{lab.plan.name} has no router that a cluster peers with")
