"""Maintenance: what takes a node out of load balancing, and what does not."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.load.loaded import loaded
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least

NODE = "k8s-worker5"
KEPT = 10
FLOWS = "`hubble observe` on the nodes: who was sent to two pods, or answered by none?"

scenario = Scenario(
    "A node leaves, and nobody notices",
    profile="modern",
    options={"mode": "dsr"},
    manifests=(web.MANIFEST,),
)


@scenario.step("cordon does not withdraw")
def cordon(stage: Stage) -> None:
    """cordon keeps new pods away. The node still announces the address, and serves it."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    stage.show(stage.control, f"kubectl cordon {NODE}")
    stage.show(stage.control, "kubectl get nodes")
    web.is_announced_by_all_still(stage)


@scenario.step("The exclude label does")
def exclude(stage: Stage) -> None:
    """The node withdraws its announcement, and goes on serving what still reaches it. A steady
    load runs through the change: new connections, and ten that each client holds open. Many of
    them come to other nodes now, in the middle; Maglev and DSR are why none breaks (see the
    scenarios ecmp-maglev and, without the two, ecmp-rehash)."""
    left = observe.node_addresses(stage) - {str(stage.plan.node(NODE).address)}
    with loaded(stage.lab, web.ADDRESS, kept=KEPT) as load:
        moment = stage.now()
        stage.show(stage.control, f"kubectl label node {NODE} {web.EXCLUDE}=")
        web.is_announced_by(stage, "the node is no next hop any more", left)
        load.until_steady(50)
        cost = load.cost(moment)
    stage.say(f"The load: {cost}.")
    stage.holds("new connections went on", cost.attempted, at_least(50))
    stage.holds("new connections that failed", cost.failed, 0, look=FLOWS)
    stage.holds("open connections that broke", cost.broken, 0, look=FLOWS)


@scenario.step("And it comes back")
def back(stage: Stage) -> None:
    """Without the label the node announces again; the router spreads over six."""
    with loaded(stage.lab, web.ADDRESS, kept=KEPT) as load:
        moment = stage.now()
        stage.show(stage.control, f"kubectl label node {NODE} {web.EXCLUDE}-")
        stage.show(stage.control, f"kubectl uncordon {NODE}")
        web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
        load.until_steady(50)
        cost = load.cost(moment)
    stage.say(f"The load: {cost}.")
    stage.holds("new connections that failed", cost.failed, 0, look=FLOWS)
    stage.holds("open connections that broke", cost.broken, 0, look=FLOWS)
