"""Two labs on one machine: the same names, the same addresses, and nothing in common."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.load.loaded import loaded
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario

NODE = "k8s-worker2"

scenario = Scenario("Labs side by side", manifests=(web.MANIFEST,))


@scenario.step("A twin comes up, lives and goes")
def twin(stage: Stage) -> None:
    """Each lab is a set of namespaces of its own: network, processes, mounts, BPF file systems. So
    both have a bgp-router1 with the address 192.168.1.1, and both give 172.16.10.0 to their first
    service. A steady load runs in this lab all the time; what is done in the twin must not cost
    it a connection."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    (pod,) = web.pods(stage)
    with loaded(stage.lab, web.ADDRESS, kept=3) as load:
        moment = stage.now()
        with stage.second() as other:
            stage.say("The twin is up. It has a service of its own, with two pods.")
            other.apply(web.MANIFEST)
            web.scale(other, 2)
            web.is_announced_by(other, "all of its nodes", observe.node_addresses(other))
            web.is_answered(other)
            here, there = (lab.run(NODE, "ip -br address show dev eth0") for lab in (stage, other))
            stage.holds(f"{NODE} has the same address in both", here.out, there.out)
            other.show(other.control, f"kubectl label node {NODE} {web.EXCLUDE}=")
            left = observe.node_addresses(other) - {str(other.plan.node(NODE).address)}
            web.is_announced_by(other, "the twin takes a node out", left)
            hops = observe.next_hops(stage, web.ROUTER, web.ADDRESS)
            stage.holds("this lab keeps it", hops, observe.node_addresses(stage))
            stage.holds("this lab's pods", web.pods(stage), [pod])
        stage.say("The twin is gone.")
        load.until_steady(50)
        cost = load.cost(moment)
    stage.say(f"The load in this lab: {cost}.")
    stage.holds("new connections that failed", cost.failed, 0)
    stage.holds("open connections that broke", cost.broken, 0)
