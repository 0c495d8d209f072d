"""A next hop is lost: which connections move, and what a resilient group of next hops saves."""

from __future__ import annotations

from lab.scenario import observe, spread, web
from lab.scenario.loaded import loaded
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least, at_most

NODE = "k8s-worker2"
LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
PORTS = range(50000, 50060)
RESILIENT = "172.16.10.200"
"""An address that nobody has; only the way to it is asked for."""

scenario = Scenario("One node goes, and others' connections move", manifests=(web.MANIFEST,))


@scenario.step("More connections move than the lost node had")
def moved(stage: Stage) -> None:
    """The kernel divides the hash's range into six equal parts, a next hop each. With five next
    hops the parts are wider and begin elsewhere, so connections of healthy nodes change hands,
    too. Sixty possible connections of the router are asked for before and after."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    stage.show(web.ROUTER, spread.question(stage, web.ADDRESS, local_port=PORTS[0]))
    before = ways(stage, web.ADDRESS)
    lost = str(stage.plan.node(NODE).address)
    with loaded(stage.lab, web.ADDRESS, kept=10) as load:
        moment = stage.now()
        stage.show(stage.control, f"kubectl label node {NODE} {LABEL}=")
        left = observe.node_addresses(stage) - {lost}
        web.is_announced_by(stage, "the node is no next hop any more", left)
        load.until_steady(50)
        cost = load.cost(moment)
    dead, changed = compare(before, ways(stage, web.ADDRESS), lost)
    stage.say(f"Of {len(PORTS)} connections {dead} went to the lost node, and {changed} move.")
    stage.holds(f"more than those {dead} move", changed, at_least(dead + 1))
    stage.say(f"The load: {cost}. Most of these nodes were well.")
    stage.holds("open connections broke", cost.broken, at_least(1))
    stage.holds("new ones failed only if they were just beginning", cost.failed, at_most(3))


@scenario.step("A resilient group moves only what it must")
def resilient(stage: Stage) -> None:
    """Linux can keep a table of many buckets instead (since 5.13). A bucket whose next hop is
    lost gets another one; all others stay as they are. The same sixty questions, asked for an
    address that is routed through such a group."""
    members = {str(node.address): 901 + i for i, node in enumerate(stage.plan.kube_nodes)}
    for address, number in members.items():
        stage.run(web.ROUTER, f"ip nexthop add id {number} via {address} dev enp7s0")
    group = "ip nexthop {} id 900 group {} type resilient buckets 120"
    everyone = "/".join(map(str, members.values()))
    stage.show(web.ROUTER, group.format("add", everyone))
    stage.show(web.ROUTER, f"ip route add {RESILIENT}/32 nhid 900")
    before = ways(stage, RESILIENT)
    lost = str(stage.plan.node(NODE).address)
    others = "/".join(str(number) for address, number in members.items() if address != lost)
    stage.show(web.ROUTER, group.format("replace", others))
    dead, changed = compare(before, ways(stage, RESILIENT), lost)
    stage.say(f"Of {len(PORTS)} connections {dead} went to the lost node, and {changed} move.")
    stage.holds(f"those {dead} move, and no other", changed, dead)


def ways(stage: Stage, address: str) -> dict[int, str]:
    """For each of the router's ports the node that a connection from it goes to."""
    return {port: spread.next_hop(stage, web.ROUTER, address, local_port=port) for port in PORTS}


def compare(before: dict[int, str], after: dict[int, str], lost: str) -> tuple[int, int]:
    """How many connections went to the lost node, and how many go elsewhere now."""
    dead = sum(way == lost for way in before.values())
    return dead, sum(before[port] != after[port] for port in before)
