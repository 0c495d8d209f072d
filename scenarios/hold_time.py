"""A node falls silent: without BFD it is believed until BGP's hold time has run out."""

from __future__ import annotations

import shlex

from lab.faults.wires import link_down
from lab.scenario import observe, web
from lab.scenario.bounds import BGP_SESSION, HOLD_TIME
from lab.scenario.load.loaded import loaded
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import between

scenario = Scenario("How long a silent node is believed", manifests=(web.MANIFEST,))


@scenario.step("Three seconds instead of ninety")
def timers(stage: Stage) -> None:
    """The article's sessions have a hold time of 90 seconds: a neighbor is dead when nothing has
    been heard from it for so long. MetalLB's configuration can ask for less; the shorter wish of
    the two sides counts, and 3 seconds are the least that BGP allows. A session keeps the times
    that its sides told each other at its begin: each node's agent ends its own and begins anew."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    stage.apply("hold_time.yaml")
    stage.becomes(
        "all sessions have a hold time of 3 seconds",
        lambda: hold_times(stage),
        {3},
        within=BGP_SESSION,
    )
    shown = "vtysh -c 'show bgp neighbors 192.168.1.21' | grep -i 'hold time'"
    stage.show(web.ROUTER, f"sh -c {shlex.quote(shown)}")
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))


@scenario.step("A cable is pulled")
def pulled(stage: Stage) -> None:
    """Between node and router is a switch: the router's own link stays up, and only silence tells
    that a node has gone. Until then one in six new connections is lost. Compare the scenario
    node-failure, where BFD needs a quarter of a second."""
    (pod,) = web.pods(stage)
    victim = next(n for n in reversed(stage.plan.kube_nodes) if n.name != pod.node)
    left = observe.node_addresses(stage) - {str(victim.address)}
    with loaded(stage.lab, web.ADDRESS) as load:
        with stage.fault(link_down(victim.name)) as moment:
            stage.becomes(
                "the silent node is no next hop any more",
                lambda: observe.next_hops(stage, web.ROUTER, web.ADDRESS),
                left,
                within=HOLD_TIME,
            )
            load.until_steady(50)
            cost = load.cost(moment)
            stage.say(f"The load: {cost}.")
            stage.holds("seconds until the last failure", cost.recovered_after, between(1, 6))
        web.is_announced_by(stage, "mended, it is a next hop", observe.node_addresses(stage))
        web.is_answered(stage)


def hold_times(stage: Stage) -> set[int]:
    """The hold times that the router has agreed on with its neighbors, in seconds."""
    told = stage.run(web.ROUTER, "vtysh -c 'show bgp neighbors json'").json()
    return {neighbor.get("bgpTimerHoldTimeMsecs", 0) // 1000 for neighbor in told.values()}
