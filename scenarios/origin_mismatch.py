"""One node's announcement looks better than the others': no more spreading."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import containing

NODE = "k8s-worker4"

scenario = Scenario(
    "A small difference that ends load balancing",
    options={"profile": "modern"},
    manifests=(web.MANIFEST,),
)


@scenario.step("Six paths that are equal in everything")
def equal(stage: Stage) -> None:
    """BGP uses several paths only if nothing tells them apart: local preference, length of the AS
    path, origin, MED. MetalLB's speaker gives its routes the origin `incomplete` (`?`)."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    shown = stage.show(web.ROUTER, f"vtysh -c 'show bgp ipv4 unicast {web.ADDRESS}/32'").out
    stage.holds("six of six are incomplete", shown.count("Origin incomplete"), 6)


@scenario.step("One node is migrated")
def mismatch(stage: Stage) -> None:
    """Its BGP is configured by Cilium's resources now, and Cilium's speaker says `IGP` (`i`). IGP
    is better, so the one node gets all the traffic; and nothing is broken that an alarm would
    notice."""
    stage.apply("origin_mismatch.yaml")
    left = str(stage.plan.node(NODE).address)
    web.is_announced_by(stage, f"{NODE} alone is left", {left})
    shown = stage.show(web.ROUTER, f"vtysh -c 'show bgp ipv4 unicast {web.ADDRESS}/32'").out
    stage.holds("the other five paths are still there", shown.count("Origin incomplete"), 5)
    stage.show(NODE, "cilium bgp routes advertised ipv4 unicast")
    stage.show(web.ROUTER, f"ip route show {web.ADDRESS}")
    web.is_answered(stage)


@scenario.step("All say the same, and all are used again")
def again(stage: Stage) -> None:
    """The other nodes follow. Which origin it is does not matter, only that it is the same."""
    change = '\'[{"op": "remove", "path": "/spec/nodeSelector"}]\''
    stage.show(
        stage.control, f"kubectl patch ciliumbgpclusterconfig migrated --type json -p {change}"
    )
    web.is_announced_by(stage, "every node is a next hop again", observe.node_addresses(stage))
    shown = stage.run(web.ROUTER, f"vtysh -c 'show bgp ipv4 unicast {web.ADDRESS}/32'").out
    stage.holds("all of them by IGP", shown, containing("Origin IGP"))
    stage.holds("none is incomplete", shown.count("Origin incomplete"), 0)
