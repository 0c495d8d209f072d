"""loadBalancerSourceRanges: who may come in, decided where the packet arrives."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import DATAPATH, FLOW_EVENTS
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import something

scenario = Scenario("A service that only some clients may use", manifests=(web.MANIFEST,))


@scenario.step("Everybody may")
def everybody(stage: Stage) -> None:
    """A service without ranges is open."""
    for client in ("client1", "client2"):
        web.is_answered(stage, client)


@scenario.step("One client only")
def one(stage: Stage) -> None:
    """Every node gets the range into a map of its own (longest prefix wins) and asks it before it
    balances. Others are dropped without a word, as by a firewall: curl waits and gives up."""
    allowed = stage.plan.node("client1").address
    web.patch(stage, f'"loadBalancerSourceRanges": ["{allowed}/32"]')
    stage.becomes(
        "client2 gets no answer any more",
        lambda: observe.fetch(stage, "client2", web.URL, timeout=0.5).status,
        0,
        within=DATAPATH,
    )
    web.is_answered(stage, "client1")
    tried = stage.show("client2", f"curl -s -S -m 1 {web.URL}")
    stage.holds("client2's curl times out", tried.code, 28)


@scenario.step("Hubble tells why")
def why(stage: Stage) -> None:
    """The drop is an event with a reason, on the node that made the decision."""
    refused = str(stage.plan.node("client2").address)
    line = f"hubble observe --verdict DROPPED --from-ip {refused} --last 1"
    nodes = [node.name for node in stage.plan.kube_nodes]
    told: list[str] = stage.becomes(
        "nodes that dropped client2's packets",
        lambda: [node for node in nodes if refused in stage.run(node, line).out],
        something(),
        within=FLOW_EVENTS,
    )
    shown = stage.show(told[0], line)
    stage.holds("the reason is the source range", "Denied by LB src range" in shown.out, True)


@scenario.step("Everybody may again")
def again(stage: Stage) -> None:
    """Without ranges the check is skipped."""
    web.patch(stage, '"loadBalancerSourceRanges": null')
    web.is_answered(stage, "client2")
