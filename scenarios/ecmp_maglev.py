"""A next hop is lost, and the nodes make up for it: each of them knows each client's pod."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import DATAPATH, PACKETS_CAPTURED
from lab.scenario.load.loaded import loaded
from lab.scenario.load.measured import moved, sent_on
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least

NODE = "k8s-worker2"
KEPT = 20
TABLES = "`bpftool map dump name cilium_lb4_maglev` on two nodes: is there one, the same on both?"

scenario = Scenario(
    "Connections move, and none breaks",
    profile="modern",
    options={"mode": "dsr"},
    manifests=(web.MANIFEST,),
)


@scenario.step("Three pods, six ways to each of them")
def three(stage: Stage) -> None:
    """Maglev is a table that every node fills in the same way from the same pods: whichever node
    is asked, it sends the same client to the same pod. With DSR it leaves the client's address as
    it is. So to the pod it makes no difference which node a packet came through, once all nodes
    know the same pods."""
    web.scale(stage, 3)
    stage.becomes(
        "pods that every node knows",
        lambda: [len(known) for known in observe.backends(stage, f"{web.ADDRESS}:80/TCP").values()],
        [3] * len(stage.plan.kube_nodes),
        within=DATAPATH,
    )
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    web.is_answered(stage)


@scenario.step("The router deals its hash out anew")
def dealt_anew(stage: Stage) -> None:
    """As in the scenario ecmp-rehash one node is no next hop any more, and a third of all
    connections or more come to a node that has never heard of them. There they broke; here they
    go on."""
    left = observe.node_addresses(stage) - {str(stage.plan.node(NODE).address)}
    with (
        sent_on(stage.lab, web.ADDRESS, 80) as sent,
        loaded(stage.lab, web.ADDRESS, kept=KEPT) as load,
    ):
        moment = stage.now()
        stage.show(stage.control, f"kubectl label node {NODE} {web.EXCLUDE}=")
        web.is_announced_by(stage, "the node is no next hop any more", left)
        stage.becomes(
            "open connections that came to another node",
            lambda: len(moved(sent.printed()) & load.open_ones()),
            at_least(3),
            within=PACKETS_CAPTURED,
        )
        load.until_steady(50)
        cost = load.cost(moment)
    stage.say(f"The load: {cost}.")
    stage.holds("open connections that broke", cost.broken, 0, look=TABLES)
    stage.holds("new connections that failed", cost.failed, 0, look=TABLES)
