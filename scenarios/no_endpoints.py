"""A service without a pod: Cilium 1.10, like MetalLB, stops announcing it."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario

scenario = Scenario("No pod, no announcement", manifests=(web.MANIFEST,))


@scenario.step("Announced while a pod is ready")
def announced(stage: Stage) -> None:
    """The service has one pod."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    web.is_answered(stage)


@scenario.step("The last pod goes, and so does the route")
def gone(stage: Stage) -> None:
    """All nodes withdraw the address. To a client the network is unreachable, and a network
    with another site that announces the same address would now use that one."""
    web.scale(stage, 0)
    web.is_announced_by(stage, "the route is gone", set())
    stage.show(web.ROUTER, "vtysh -c 'show bgp summary'")
    service = observe.services(stage)[web.SERVICE]
    stage.holds("the service keeps its address", service.external, (web.ADDRESS,))
    tried = stage.show(web.CLIENT, f"curl -s -S -m 2 {web.URL}")
    stage.holds("curl is told that there is no way", tried.code, 7)


@scenario.step("A pod comes, and the route with it")
def back(stage: Stage) -> None:
    """Nobody has to do anything."""
    web.scale(stage, 1)
    web.is_announced_by(stage, "every node is a next hop again", observe.node_addresses(stage))
    web.is_answered(stage)
