"""A port that nobody listed, today: dropped by the first program, and reported with a reason."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import FLOW_EVENTS, PACKETS_CAPTURED
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import something

scenario = Scenario(
    "An unlisted port is dropped, with a reason", profile="modern", manifests=(web.MANIFEST,)
)


@scenario.step("No loop")
def no_loop(stage: Stage) -> None:
    """Compare this with the scenario routing-loop. The packet reaches a node once and goes no
    further: since 1.19 the map has an entry for all other ports of the address, that leads to
    no backend."""
    web.is_answered(stage)
    with stage.capture_all(f"udp dst port 9999 and dst host {web.ADDRESS}") as captures:
        stage.show(web.CLIENT, f"bash -c 'echo hello > /dev/udp/{web.ADDRESS}/9999'")
        stage.becomes(
            "a node receives the packet",
            lambda: [capture.node for capture in captures if capture.packets()],
            something(),
            within=PACKETS_CAPTURED,
        )
    times = sum(len(capture.packets()) for capture in captures)
    wildcard = "`cilium bpf lb list` on the nodes: the entry of the address with port 0"
    stage.holds("times that it was on a node's wire", times, 1, look=wildcard)


@scenario.step("Hubble tells the reason")
def reason(stage: Stage) -> None:
    """The drop is an event like any other, on the node that received the packet."""
    line = "hubble observe --verdict DROPPED --protocol udp --last 1"
    nodes = [node.name for node in stage.plan.kube_nodes]
    dropped: list[str] = stage.becomes(
        "nodes that dropped it",
        lambda: [node for node in nodes if ":9999" in stage.run(node, line).out],
        something(),
        within=FLOW_EVENTS,
    )
    shown = stage.show(dropped[0], line)
    stage.holds("no backend: that is why", "Service backend not found" in shown.out, True)


@scenario.step("ping is no different")
def ping(stage: Stage) -> None:
    """An echo request has no port at all. It is dropped, too, and nothing comes back."""
    tried = stage.show(web.CLIENT, f"ping -c 2 -i 0.2 -W 1 {web.ADDRESS}")
    stage.holds("ping hears nothing, from nobody", "errors" in tried.out or tried.code == 0, False)
    hops = observe.next_hops(stage, web.ROUTER, web.ADDRESS)
    stage.holds("every node is a next hop", hops, observe.node_addresses(stage))
