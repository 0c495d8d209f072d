"""A node that announces what is not its own is not believed."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import ANNOUNCEMENT
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import containing

NODE = "k8s-worker3"
FILTER = f"`vtysh -c 'show running-config'` on {web.ROUTER}: its prefix lists and route maps"
FOREIGN = ("198.51.100.0/24", "192.168.10.0/25", "172.16.10.128/25")

LEAKED = "9.9.9.0/24"

scenario = Scenario("The router believes only what nodes may announce", manifests=(web.MANIFEST,))


@scenario.step("A node announces too much")
def too_much(stage: Stage) -> None:
    """A foreign network, half of the clients' LAN, half of the pool: a mistake in one node's
    configuration, or an intruder on it. The last two would draw traffic away, being more
    specific than what the router has."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    for prefix in FOREIGN:
        announce(stage, f"network {prefix}")
    address = str(stage.plan.cluster.router) if stage.plan.cluster else ""
    stage.becomes(
        "the node has sent the last of them",
        lambda: sent(stage, address),
        containing(FOREIGN[-1]),
        within=ANNOUNCEMENT,
    )


@scenario.step("The router takes none of it")
def none(stage: Stage) -> None:
    """It accepts host routes (/32) out of the pool from its neighbors, and nothing else. What the
    filter refuses is not even in the BGP table."""
    table = stage.show(web.ROUTER, "vtysh -c 'show bgp ipv4 unicast'").out
    kernel = stage.run(web.ROUTER, "ip route").out
    for prefix in FOREIGN:
        stage.holds(f"{prefix} is not in BGP's table", prefix in table, False, look=FILTER)
        stage.holds(f"{prefix} is not in the kernel", prefix in kernel, False, look=FILTER)
    web.is_answered(stage)


@scenario.step("Its honest announcements still count")
def honest(stage: Stage) -> None:
    """A refused prefix does not cost the session."""
    hops = observe.next_hops(stage, web.ROUTER, web.ADDRESS)
    stage.holds("every node is a next hop", hops, observe.node_addresses(stage))
    for prefix in FOREIGN:
        announce(stage, f"no network {prefix}")


@scenario.step("And a node believes nobody")
def deaf(stage: Stage) -> None:
    """Somebody on the router announces a network to the nodes. A node has one default route and
    needs no other: it would only make it send packets elsewhere."""
    address = str(stage.plan.node(NODE).address)
    leak(stage, f"network {LEAKED}", f"no neighbor {address} route-map nothing out")
    stage.becomes(
        "the router has sent it",
        lambda: (
            stage.run(
                web.ROUTER,
                f"vtysh -c 'show bgp ipv4 unicast neighbors {address} advertised-routes'",
            ).out
        ),
        containing(LEAKED),
        within=ANNOUNCEMENT,
    )
    table = stage.show(NODE, "vtysh -c 'show bgp ipv4 unicast'").out
    look = f"`vtysh -c 'show running-config'` on {NODE}: the route map `in` of its neighbor"
    stage.holds(f"{LEAKED} is not in the node's table", LEAKED in table, False, look=look)
    kernel = stage.run(NODE, "ip route").out
    stage.holds("nor in its kernel", LEAKED in kernel, False, look=look)
    leak(stage, f"no network {LEAKED}", f"neighbor {address} route-map nothing out")


def leak(stage: Stage, *lines: str) -> None:
    """Change the router's IPv4 routes by hand; it announces what it need not have itself."""
    before = ("configure terminal", "router bgp 64512", "no bgp network import-check")
    every = (*before, "address-family ipv4 unicast", *lines)
    stage.show(web.ROUTER, "vtysh " + " ".join(f"-c '{line}'" for line in every))


def announce(stage: Stage, line: str) -> None:
    """Change the node's BGP configuration by hand."""
    stage.show(NODE, f"vtysh -c 'configure terminal' -c 'router bgp 64512' -c '{line}'")


def sent(stage: Stage, router: str) -> str:
    """What the node tells that it has advertised to the router."""
    return stage.run(
        NODE, f"vtysh -c 'show bgp ipv4 unicast neighbors {router} advertised-routes'"
    ).out
