"""A node has no port left to translate to: new connections through it fail, and only those."""

from __future__ import annotations

import re

from lab.faults.full_tables import conntrack_full, nat_full
from lab.scenario import observe, walk, web
from lab.scenario.bounds import FLOW_EVENTS
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least, between, containing

INGRESS = "k8s-worker4"

scenario = Scenario("The last port of a node", manifests=(web.MANIFEST,))


@scenario.step("Through this node, and it works")
def works(stage: Stage) -> None:
    """A node that sends a connection on to another node's pod makes itself the source, with a
    port from 32768 to 65535: that many connections to one pod, and no more. It keeps the client's
    port if it can; for one below that range it has to find another."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    stage.holds("the pod is on another node", INGRESS in {p.node for p in web.pods(stage)}, False)
    high = walk.from_router(stage, web.ROUTER, web.ADDRESS, {INGRESS}, first_port=40000)
    stage.holds("a high port is kept", translated(stage, high), high.port)
    low = walk.from_router(stage, web.ROUTER, web.ADDRESS, {INGRESS}, first_port=20000)
    stage.holds("a low one becomes another", translated(stage, low), between(32768, 65535))


@scenario.step("Strangers hold all the ports")
def full(stage: Stage) -> None:
    """The node's tables are filled with connections of clients that nobody knows. The next one
    finds no port; the node drops its packets and says so. BGP has no idea: the node is a next
    hop still, and one new connection in six is lost. Other nodes have ports of their own."""
    (pod,) = web.pods(stage)
    with stage.fault(nat_full(INGRESS, f"{pod.address}:80")):
        port = walk.into_nothing(stage, web.ROUTER, web.ADDRESS, INGRESS, first_port=45000)
        flows = f"hubble observe --port {port} --verdict DROPPED --last 1"
        stage.becomes(
            "the node tells why",
            lambda: stage.run(INGRESS, flows).out,
            containing("No mapping for NAT masquerade"),
            within=FLOW_EVENTS,
        )
        stage.show(INGRESS, flows)
        stage.holds(
            "what the node lost on the way out",
            lost_on_the_way_out(stage),
            containing("No mapping for NAT masquerade"),
        )
        web.is_announced_by_all_still(stage)
        others = walk.others(stage, pod) - {INGRESS}
        walk.from_router(stage, web.ROUTER, web.ADDRESS, others, first_port=50000)


def lost_on_the_way_out(stage: Stage) -> set[str]:
    """Reasons that the ingress node counts."""
    lines = stage.show(INGRESS, "cilium bpf metrics list").out.splitlines()
    return {line.split("  ")[0] for line in lines if " EGRESS " in line}


@scenario.step("Strangers fill the table of connections, too")
def crowded(stage: Stage) -> None:
    """A table without room is another matter: it forgets what was used least recently, so every new
    connection is served. What it forgot is counted, beside what it holds."""
    before = forgotten(stage)
    with stage.fault(conntrack_full(INGRESS)):
        walk.from_router(stage, web.ROUTER, web.ADDRESS, {INGRESS}, first_port=52000)
        stage.show(INGRESS, "cilium status --verbose")
        stage.holds("connections forgotten", forgotten(stage) - before, at_least(1))


@scenario.step("The strangers leave")
def mended(stage: Stage) -> None:
    """A port is free as soon as its connection is forgotten."""
    walk.from_router(stage, web.ROUTER, web.ADDRESS, {INGRESS}, first_port=55000)
    walk.from_router(stage, web.ROUTER, web.ADDRESS, {INGRESS}, first_port=25000)


def translated(stage: Stage, way: walk.Walk) -> int:
    """The port that the node gave to a connection; 0 when its table does not have it."""
    told = stage.show(INGRESS, f"sh -c 'cilium bpf nat list | grep OUT.{way.client}'").out
    found = re.search(r"XLATE_SRC \S+:(\d+) ", told)
    return int(found[1]) if found else 0


def forgotten(stage: Stage) -> int:
    """Entries of the table for TCP that the node evicted, as `cilium` tells them."""
    lines = stage.run(INGRESS, "cilium status --verbose").out.splitlines()
    (line,) = [line for line in lines if line.startswith("  TCP connection tracking")]
    return int(line.split()[-1])
