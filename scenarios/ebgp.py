"""eBGP: every node has an AS number of its own, and all six are still next hops."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import BGP_SESSION
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import containing

scenario = Scenario(
    "A node, an autonomous system", options={"node_asn": 64601}, manifests=(web.MANIFEST,)
)


@scenario.step("Six neighbors in six systems")
def neighbors(stage: Stage) -> None:
    """Many data centers give each rack or node an AS number: eBGP needs no full mesh and no
    reflector. The third column tells the neighbors' numbers, the router's own is 64512."""
    stage.becomes(
        "every node's session is established",
        lambda: observe.established(stage, web.ROUTER),
        observe.node_addresses(stage),
        within=BGP_SESSION,
    )
    shown = stage.show(web.ROUTER, "vtysh -c 'show bgp summary'")
    for number in range(64601, 64607):
        stage.holds(f"AS {number} is there", shown.out, containing(str(number)))


@scenario.step("Paths of equal length through different systems")
def multipath(stage: Stage) -> None:
    """The six paths differ in their AS path. By default BGP would call only paths with the same
    one equal; `bestpath as-path multipath-relax` lets the length alone decide."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    stage.show(web.ROUTER, f"vtysh -c 'show bgp ipv4 unicast {web.ADDRESS}/32'")
    stage.show(web.ROUTER, f"ip route show {web.ADDRESS}")
    for client in ("client1", "client2", "client3"):
        web.is_answered(stage, client)
