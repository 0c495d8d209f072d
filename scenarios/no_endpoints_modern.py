"""A service without a pod, today: Cilium goes on announcing it, and refuses what comes."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import DATAPATH, FLOW_EVENTS
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import nothing, something

FRONTEND = f"{web.ADDRESS}:80/TCP"

scenario = Scenario("No pod, and announced still", profile="modern", manifests=(web.MANIFEST,))


@scenario.step("The last pod goes, and the route stays")
def stays(stage: Stage) -> None:
    """Compare this with the scenario no-endpoints. The address belongs to the service, whether or
    not anybody serves it: no other site takes over, and no route comes and goes with a pod that
    is restarted."""
    web.is_answered(stage)
    known = set(observe.backends(stage, FRONTEND))
    stage.holds("nodes that know the address", known, {n.name for n in stage.plan.kube_nodes})
    web.scale(stage, 0)
    stage.becomes(
        "nodes that balance to a pod still",
        lambda: [node for node, found in observe.backends(stage, FRONTEND).items() if found],
        nothing(),
        within=DATAPATH,
    )
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))


@scenario.step("Whoever asks is refused, with a reason")
def refused(stage: Stage) -> None:
    """The node that receives the connection has nobody to send it to. It drops the packet, tells
    the client by ICMP, and whoever looks by an event."""
    tried = stage.show(web.CLIENT, f"curl -s -S -m 1 {web.URL}")
    stage.holds("curl fails to connect, at once", tried.code, 7)
    asking = str(stage.plan.node(web.CLIENT).address)
    line = f"hubble observe --verdict DROPPED --from-ip {asking} --last 1"
    nodes = [node.name for node in stage.plan.kube_nodes]
    told: list[str] = stage.becomes(
        "nodes that dropped its packets",
        lambda: [node for node in nodes if asking in stage.run(node, line).out],
        something(),
        within=FLOW_EVENTS,
    )
    shown = stage.show(told[0], line)
    stage.holds("no backend: that is why", "Service backend not found" in shown.out, True)


@scenario.step("A node's own call does not even leave it")
def own_call(stage: Stage) -> None:
    """On a node a service's address is translated in connect(), before there is a packet. Without
    a backend the call itself fails: nothing is sent, so nothing is dropped and no flow is told."""
    tried = stage.show(stage.plan.kube_nodes[-1].name, f"curl -s -v -m 1 {web.URL}")
    stage.holds("curl fails to connect, at once", tried.code, 7)
    told = "Immediate connect fail" in tried.err and "No route to host" in tried.err
    stage.holds("it was connect() that failed", told, True)


@scenario.step("A pod comes, and everything works")
def back(stage: Stage) -> None:
    """No route had to be told to anybody."""
    web.scale(stage, 1)
    web.is_answered(stage)
