"""A node's agent dies and comes back: the datapath does not notice."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import AGENT_START
from lab.scenario.faults import agent_kill
from lab.scenario.loaded import loaded
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario

scenario = Scenario("Programs and maps outlive the agent", manifests=(web.MANIFEST,))


@scenario.step("The agent of the pod's node is killed")
def killed(stage: Stage) -> None:
    """Programs are attached to interfaces and maps are pinned: they belong to the kernel. The
    pod is a process of its own, and FRR another. So without its agent the node goes on
    announcing, balancing and serving; it only learns nothing new."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    (pod,) = web.pods(stage)
    with loaded(stage.lab, web.ADDRESS, kept=3) as load:
        with stage.fault(agent_kill(pod.node)) as moment:
            stage.show(
                pod.node, "bpftool map list pinned /sys/fs/bpf/tc/globals/cilium_lb4_services_v2"
            )
            load.until_steady(50)
            hops = observe.next_hops(stage, web.ROUTER, web.ADDRESS)
            stage.holds("the node is a next hop still", hops, observe.node_addresses(stage))
        load.until_steady(50)
        cost = load.cost(moment)
    stage.say(f"The load: {cost}.")
    stage.holds("no new connection failed", cost.failed, 0)
    stage.holds("no open connection broke", cost.broken, 0)


@scenario.step("The new agent adopts what it finds")
def adopted(stage: Stage) -> None:
    """It compares what is wanted with what is in the kernel and changes only what differs: the
    pod is the same process, not a new one."""
    (pod,) = web.pods(stage)
    stage.becomes(
        "the agent answers again",
        lambda: stage.probe(pod.node, "cilium status").code,
        0,
        within=AGENT_START,
    )
    stage.show(stage.control, "kubectl get pods -o wide")
    web.is_answered(stage)


@scenario.step("And does its work")
def works(stage: Stage) -> None:
    """A change reaches the node again."""
    web.scale(stage, 2)
    wanted = sorted(f"{pod.address}:80" for pod in web.pods(stage))
    stage.becomes(
        "every node balances over two pods",
        lambda: observe.backends(stage, f"{web.ADDRESS}:80"),
        {node.name: wanted for node in stage.plan.kube_nodes},
        within=AGENT_START,
    )
