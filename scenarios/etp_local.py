"""externalTrafficPolicy Local: the address follows the pods."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario

scenario = Scenario("Only nodes with a ready pod announce the address", manifests=(web.MANIFEST,))


@scenario.step("One pod, one next hop")
def one(stage: Stage) -> None:
    """With the policy Cluster every node announced the address; with Local only the node whose
    pod is ready does."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    web.patch(stage, '"externalTrafficPolicy": "Local"')
    web.is_announced_by(stage, "only the pod's node is left", web.nodes_with_pods(stage))
    stage.show(web.ROUTER, f"ip route show {web.ADDRESS}")
    web.is_answered(stage)


@scenario.step("More pods, more next hops")
def more(stage: Stage) -> None:
    """A node joins as soon as a pod of its own is ready, not before."""
    web.scale(stage, 3)
    web.is_announced_by(stage, "the nodes of all three pods", web.nodes_with_pods(stage))
    stage.show(web.ROUTER, f"ip route show {web.ADDRESS}")
    for client in ("client1", "client2", "client3"):
        web.is_answered(stage, client)


@scenario.step("No pod, no route")
def none(stage: Stage) -> None:
    """Without any pod nobody announces the address, and the clients learn at once that there is
    no way: the router answers that the network is unreachable."""
    web.scale(stage, 0)
    web.is_announced_by(stage, "the route is gone", set())
    tried = stage.show(web.CLIENT, f"curl -s -S -m 2 {web.URL}")
    stage.holds("curl fails to connect", tried.code, 7)


@scenario.step("A pod again, and a route")
def again(stage: Stage) -> None:
    """All of it is a consequence of readiness, so it comes back by itself."""
    web.scale(stage, 1)
    web.is_announced_by(stage, "the new pod's node is the next hop", web.nodes_with_pods(stage))
    web.is_answered(stage)
