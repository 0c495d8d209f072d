"""Two nodes cannot reach each other: BGP sees nothing wrong, and one connection in six is lost."""

from __future__ import annotations

from lab.faults.wires import partition
from lab.scenario import observe, walk, web
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario

INGRESS = "k8s-worker4"

scenario = Scenario("A broken path behind a healthy route", manifests=(web.MANIFEST,))


@scenario.step("Through this node, and it works")
def works(stage: Stage) -> None:
    """The node does not have the pod; it sends connections on to the node that has."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    walk.from_router(stage, web.ROUTER, web.ADDRESS, {INGRESS}, first_port=40000)


@scenario.step("The path between the two breaks")
def broken(stage: Stage) -> None:
    """Both nodes still reach the router, so both BGP sessions are up and both announce. But what
    comes in at the one does not arrive at the other. BGP announces what a node is ready to
    serve, not what it can reach."""
    (pod,) = web.pods(stage)
    with stage.fault(partition([INGRESS], [pod.node])):
        walk.into_nothing(stage, web.ROUTER, web.ADDRESS, INGRESS, first_port=45000)
        web.is_announced_by_all_still(stage)
        others = walk.others(stage, pod) - {INGRESS}
        walk.from_router(stage, web.ROUTER, web.ADDRESS, others, first_port=50000)


@scenario.step("Mended, it works again")
def mended(stage: Stage) -> None:
    """Nothing has to be told to anybody: no route and no map had changed."""
    walk.from_router(stage, web.ROUTER, web.ADDRESS, {INGRESS}, first_port=55000)
