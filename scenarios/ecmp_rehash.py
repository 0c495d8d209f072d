"""A next hop is lost: which connections move, and what a resilient group of next hops saves."""

from __future__ import annotations

from lab.scenario import observe, spread, web
from lab.scenario.bounds import PACKETS_CAPTURED
from lab.scenario.load.loaded import loaded
from lab.scenario.load.measured import moved, sent_on
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least, between, nothing

NODE = "k8s-worker2"
KEPT = 20
PORTS = range(50000, 51200)
RESILIENT = "172.16.10.200"
"""An address that nobody has; only the way to it is asked for."""

scenario = Scenario("One node goes, and others' connections move", manifests=(web.MANIFEST,))


@scenario.step("Whoever moves, breaks")
def breaks(stage: Stage) -> None:
    """A node is taken out under load. It would serve on, and so would the five others; but the
    router sends many connections another way than before, to nodes that do not know them. Such a
    node translates them anew, the pod does not know its address and ends the connection. (The
    scenario ecmp-maglev shows nodes that make up for it.)"""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    with (
        sent_on(stage.lab, web.ADDRESS, 80) as sent,
        loaded(stage.lab, web.ADDRESS, kept=KEPT) as load,
    ):
        moment = stage.now()
        exclude(stage)
        load.until_steady(50)
        stage.becomes(
            "open connections that moved and live",
            lambda: (moved(sent.printed()) & load.open_ones()) - load.broken(moment),
            nothing(),
            within=PACKETS_CAPTURED,
        )
        stage.becomes(
            "connections, new or open, that broke without moving",
            lambda: load.broken(moment) - moved(sent.printed()),
            nothing(),
            within=PACKETS_CAPTURED,
        )
        cost = load.cost(moment)
    stage.say(f"The load: {cost}.")
    stage.holds("open connections broke", cost.broken, at_least(3))
    stage.show(stage.control, f"kubectl label node {NODE} {web.EXCLUDE}-")


@scenario.step("More than the lost node had")
def share(stage: Stage) -> None:
    """The kernel divides the hash's range into six equal parts, a next hop each. With five next
    hops the parts are wider and begin elsewhere, so that connections of healthy nodes change
    hands: 30 of 100 when a part in the middle goes, 50 when it is the first or the last one,
    where 17 would have to. Some possible connections of the router are asked for before and
    after."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    stage.show(web.ROUTER, spread.question(stage, web.ADDRESS, local_port=PORTS[0]))
    before = spread.next_hops(stage, web.ROUTER, web.ADDRESS, PORTS)
    exclude(stage)
    after = spread.next_hops(stage, web.ROUTER, web.ADDRESS, PORTS)
    changed = compare(stage, before, after)
    stage.holds("share of the connections that move", changed / len(PORTS), between(0.26, 0.54))


@scenario.step("A resilient group moves only what it must")
def resilient(stage: Stage) -> None:
    """Linux can keep a table of many buckets instead (since 5.13). A bucket whose next hop is
    lost gets another one; all others stay as they are. The same questions, asked for an address
    that is routed through such a group."""
    members = {str(node.address): 901 + i for i, node in enumerate(stage.plan.kube_nodes)}
    for address, number in members.items():
        stage.run(web.ROUTER, f"ip nexthop add id {number} via {address} dev enp7s0")
    group = "ip nexthop {} id 900 group {} type resilient buckets 120"
    everyone = "/".join(map(str, members.values()))
    stage.show(web.ROUTER, group.format("add", everyone))
    stage.show(web.ROUTER, f"ip route add {RESILIENT}/32 nhid 900")
    before = spread.next_hops(stage, web.ROUTER, RESILIENT, PORTS)
    others = "/".join(str(number) for address, number in members.items() if address != lost(stage))
    stage.show(web.ROUTER, group.format("replace", others))
    after = spread.next_hops(stage, web.ROUTER, RESILIENT, PORTS)
    changed = compare(stage, before, after)
    dead = before.count(lost(stage))
    stage.holds(f"those {dead} move, and no other", changed, dead)


def exclude(stage: Stage) -> None:
    """Take the node out of load balancing, and see the router notice."""
    stage.show(stage.control, f"kubectl label node {NODE} {web.EXCLUDE}=")
    left = observe.node_addresses(stage) - {lost(stage)}
    web.is_announced_by(stage, "the node is no next hop any more", left)


def lost(stage: Stage) -> str:
    """Address of the node that is taken out."""
    return str(stage.plan.node(NODE).address)


def compare(stage: Stage, before: list[str], after: list[str]) -> int:
    """Tell and return how many connections go elsewhere now."""
    dead = before.count(lost(stage))
    changed = sum(old != new for old, new in zip(before, after, strict=True))
    stage.say(f"Of {len(before)} connections {dead} went to the lost node, and {changed} move.")
    return changed
