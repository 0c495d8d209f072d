"""A node's agent dies and comes back, alone or with its BGP speaker: who notices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.faults.nodes import agent_kill, frr_kill
from lab.scenario import observe, web
from lab.scenario.bounds import AGENT_START, ANNOUNCEMENT
from lab.scenario.load.loaded import Load, loaded
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least

KEPT = 10
"""Open connections of each client."""

scenario = Scenario(
    "Programs and maps outlive the agent; announcements do by graceful restart",
    options={"profile": "modern"},
    manifests=(web.MANIFEST,),
)


@scenario.step("The agent of the pod's node is killed")
def killed(stage: Stage) -> None:
    """Programs are attached to interfaces and maps are pinned: they belong to the kernel. The
    pod is a process of its own, and so is FRR here. So without its agent the node goes on
    announcing, balancing and serving; it only learns nothing new."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    web.is_answered(stage)
    node = web.pods(stage)[0].node
    with loaded(stage.lab, web.ADDRESS, kept=KEPT) as load:
        with stage.fault(agent_kill(node)) as moment:
            stage.show(
                node, "bpftool map list pinned /sys/fs/bpf/tc/globals/cilium_lb4_services_v2"
            )
            load.until_steady(50)
            hops = observe.next_hops(stage, web.ROUTER, web.ADDRESS)
            stage.holds("the node is a next hop still", hops, observe.node_addresses(stage))
        answers_again(stage, node)
        nothing_was_lost(stage, load, moment)
    web.is_answered(stage)


@scenario.step("The agent and its speaker, as they are one process in Cilium")
def ungraceful(stage: Stage) -> None:
    """Cilium's BGP speaker is part of its agent. The end of its session is the end of its routes:
    the router takes the node out, and puts it in again when it is back. Both times it deals out
    its connections anew, and those that reach another node than before have no entry there: they
    break, however well all nodes are."""
    node = web.pods(stage)[0].node
    with loaded(stage.lab, web.ADDRESS, kept=KEPT) as load:
        with both_killed(stage, node) as moment:
            left = observe.node_addresses(stage) - {str(stage.plan.node(node).address)}
            web.is_announced_by(stage, "the node is no next hop any more", left)
            load.until_steady(50)
        answers_again(stage, node)
        web.is_announced_by(stage, "it is one again", observe.node_addresses(stage))
        load.until_steady(50)
        cost = load.cost(moment)
    stage.say(f"The load: {cost}.")
    stage.holds("open connections broke", cost.broken, at_least(1))


@scenario.step("Graceful restart is agreed on")
def agreed(stage: Stage) -> None:
    """Cilium's own resources take the place of MetalLB's configuration. In its OPEN each node now
    says that it may restart (RFC 4724), and that it goes on forwarding meanwhile (the F bit). The
    second matters when it is back: of a node that did not say so the router forgets all routes as
    soon as the new session is up, whether or not they have been announced again."""
    stage.apply("graceful_restart.yaml")
    names = [node.name for node in stage.plan.kube_nodes]
    stage.becomes(
        "every session can restart gracefully",
        lambda: {graceful(stage, str(stage.plan.node(name).address)) for name in names},
        {True},
        within=ANNOUNCEMENT,
    )
    stage.becomes(
        "every node says that it goes on forwarding",
        lambda: {forwards(stage, str(stage.plan.node(name).address)) for name in names},
        {True},
        within=ANNOUNCEMENT,
        look="`vtysh -c 'show running-config'` on a node: `bgp graceful-restart preserve-fw-state`",
    )
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    stage.show(stage.control, "kubectl get ciliumbgpclusterconfigs,ciliumbgppeerconfigs")


@scenario.step("Both are killed again, and nobody notices")
def gracefully(stage: Stage) -> None:
    """The router keeps the node's routes as stale ones (S) until the node has announced them
    again, or 30 seconds are over. Next hops do not change, so connections do not move."""
    node = web.pods(stage)[0].node
    with loaded(stage.lab, web.ADDRESS, kept=KEPT) as load:
        with both_killed(stage, node) as moment:
            stage.becomes(
                "neighbors whose route is stale",
                lambda: stale(stage),
                {str(stage.plan.node(node).address)},
                within=ANNOUNCEMENT,
            )
            stage.show(web.ROUTER, "vtysh -c 'show bgp ipv4 unicast'")
            load.until_steady(50)
        answers_again(stage, node)
        stage.becomes(
            "its session is established again",
            lambda: observe.established(stage, web.ROUTER),
            observe.node_addresses(stage),
            within=AGENT_START,
        )
        load.until_steady(50)
        hops = observe.next_hops(stage, web.ROUTER, web.ADDRESS)
        stage.holds("every node is a next hop", hops, observe.node_addresses(stage))
        nothing_was_lost(stage, load, moment)


@scenario.step("The new agent does its work")
def works(stage: Stage) -> None:
    """It adopted what it found: the pod is the same process, and a change reaches the node."""
    web.scale(stage, 2)
    wanted = sorted(f"{pod.address}:80/TCP" for pod in web.pods(stage))
    stage.becomes(
        "every node balances over two pods",
        lambda: observe.backends(stage, f"{web.ADDRESS}:80/TCP"),
        {node.name: wanted for node in stage.plan.kube_nodes},
        within=AGENT_START,
    )


@contextmanager
def both_killed(stage: Stage, node: str) -> Iterator[float]:
    """A node is without agent and BGP speaker; gives the moment when it lost them."""
    with stage.fault(agent_kill(node)), stage.fault(frr_kill(node)) as moment:
        yield moment


def answers_again(stage: Stage, node: str) -> None:
    stage.becomes(
        "the agent answers again",
        lambda: stage.probe(node, "cilium status").code,
        0,
        within=AGENT_START,
    )


def nothing_was_lost(stage: Stage, load: Load, moment: float) -> None:
    load.until_steady(50)
    cost = load.cost(moment)
    stage.say(f"The load: {cost}.")
    look = "agent.log of the node: what it told FRR, and what it wrote into the maps"
    stage.holds("no new connection failed", cost.failed, 0, look=look)
    stage.holds("no open connection broke", cost.broken, 0, look=look)


def stale(stage: Stage) -> set[str]:
    """Neighbors whose route to the service the router keeps though their session has ended."""
    told = stage.run(web.ROUTER, "vtysh -c 'show bgp ipv4 unicast json'").json()
    paths = told["routes"].get(f"{web.ADDRESS}/32", [])
    return {path["peerId"] for path in paths if path.get("stale")}


def neighbor(stage: Stage, address: str) -> dict[str, Any]:
    """All that the router knows of a neighbor."""
    line = f"vtysh -c 'show bgp neighbors {address} json'"
    told: dict[str, Any] = stage.run(web.ROUTER, line).json()[address]
    return told


def graceful(stage: Stage, address: str) -> bool:
    """Whether a neighbor of the router is up and has told that it may restart."""
    told = neighbor(stage, address)
    capability = told.get("neighborCapabilities", {}).get("gracefulRestart", "")
    return bool(told["bgpState"] == "Established" and capability == "advertisedAndReceived")


def forwards(stage: Stage, address: str) -> bool:
    """Whether a neighbor of the router has told that it forwards while it restarts."""
    told = neighbor(stage, address).get("gracefulRestartInfo", {}).get("ipv4Unicast", {})
    return bool(told.get("fBit"))
