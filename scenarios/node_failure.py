"""A node loses its power: how long its share of the clients waits."""

from __future__ import annotations

from lab.faults.nodes import node_crash
from lab.scenario import observe, web
from lab.scenario.bounds import AGENT_START, BFD_DETECTION
from lab.scenario.load.loaded import loaded
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_most, nothing

SOON = at_most(1.0)

scenario = Scenario("A dead node and BFD", options={"bfd": "3x50"}, manifests=(web.MANIFEST,))


@scenario.step("BFD watches every node")
def sessions(stage: Stage) -> None:
    """Beside its BGP session each node exchanges small packets with the router, one every 50 ms.
    Three missing in a row, and the other side is taken for dead."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    stage.becomes(
        "BFD is up with every node",
        lambda: stage.run(web.ROUTER, "vtysh -c 'show bfd peers brief'").out.count(" up"),
        len(stage.plan.kube_nodes),
        within=BFD_DETECTION,
    )
    stage.show(web.ROUTER, "vtysh -c 'show bfd peers brief'")


@scenario.step("A node dies, and its next hop goes within a quarter of a second")
def crash(stage: Stage) -> None:
    """A node without the pod loses its power under a steady load. Nobody tells the router: the
    dead node's share of new connections, one in six, is lost until BFD has noticed. BGP alone
    would have waited for its hold time, 90 seconds."""
    (pod,) = web.pods(stage)
    victim = next(n for n in reversed(stage.plan.kube_nodes) if n.name != pod.node)
    left = observe.node_addresses(stage) - {str(victim.address)}
    with loaded(stage.lab, web.ADDRESS) as load:
        with stage.fault(node_crash(victim.name)) as moment:
            web.is_announced_by(stage, "the dead node is no next hop any more", left)
            load.until_steady(50)
            cost = load.cost(moment)
            stage.say(f"The load: {cost}.")
            stage.holds("the last failure after the crash, in seconds", cost.recovered_after, SOON)
            web.is_answered(stage)
        stage.say(f"{victim.name} boots.")
        web.is_announced_by(stage, "it is a next hop again", observe.node_addresses(stage))


@scenario.step("It is a whole node again")
def back(stage: Stage) -> None:
    """What was in its memory is lost; the API server and its neighbors told it all again."""
    stage.becomes(
        "every node's map is the same",
        lambda: observe.nodes_that_differ(stage),
        nothing(),
        within=AGENT_START,
    )
    stage.show(stage.control, "kubectl get nodes")
    web.is_answered(stage)
