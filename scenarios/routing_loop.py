"""What Cilium 1.10 does with a port that nobody listed: a packet goes round in circles."""

from __future__ import annotations

import re

from lab.scenario import observe, web
from lab.scenario.bounds import PACKETS_CAPTURED
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least, nothing

HOP = re.compile(r"^ *\d+ +(\S+)", re.MULTILINE)

scenario = Scenario("An unlisted port makes a routing loop", manifests=(web.MANIFEST,))


@scenario.step("The way to nowhere")
def way(stage: Stage) -> None:
    """traceroute sends packets that may take one, two, three ... hops, and hears from each hop
    that let one die. The router hands the packet to a node; the node's programs find no service
    and leave it to the node's routing, whose only way to that address is the default route: back
    to the router, which picks the same node again. (Hops marked * keep silent: Linux limits how
    many of these reports it sends.)"""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    web.is_answered(stage)
    line = f"traceroute -n -I -q 1 -N 1 -w 1 -m 8 {web.ADDRESS}"
    hops = [hop for hop in HOP.findall(stage.show(web.CLIENT, line).out) if hop != "*"]
    router = str(stage.plan.node(web.CLIENT).default_route)
    stage.holds("the router comes up again and again", hops.count(router), at_least(2))
    others = {hop for hop in hops if hop != router}
    stage.holds("between them it is always the same", len(others), 1)
    stage.holds("one of the cluster's nodes", others - observe.node_addresses(stage), nothing())


@scenario.step("One packet, and what it costs")
def cost(stage: Stage) -> None:
    """A single UDP packet to port 9999 crosses the wire between router and node dozens of times
    before its time to live has run out. Whoever sends a thousand of them keeps both busy: the
    reason why Cilium drops such packets at the first program since 1.19 (scenario unlisted)."""
    with stage.capture_all(f"udp dst port 9999 and dst host {web.ADDRESS}") as captures:
        stage.show(web.CLIENT, f"bash -c 'echo hello > /dev/udp/{web.ADDRESS}/9999'")
        stage.becomes(
            "times that the packet was on a node's wire",
            lambda: sum(len(capture.packets()) for capture in captures),
            at_least(30),
            within=PACKETS_CAPTURED,
        )
    for capture in captures:
        if capture.packets():
            stage.show_capture(capture)
