"""A wrong password: the session goes, and with it the node's share."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import BGP_SESSION
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least, other_than

NODE = "k8s-worker2"

scenario = Scenario("BGP with passwords: one wrong, one node out", manifests=(web.MANIFEST,))


@scenario.step("The router asks one node for a password")
def wrong(stage: Stage) -> None:
    """TCP MD5 (RFC 2385) signs every segment of the session. A node without the password is not
    answered at all: its segments have no signature and the router's kernel drops them."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    address = str(stage.plan.node(NODE).address)
    configure(stage, f"neighbor {address} password secret")
    stage.run(web.ROUTER, f"vtysh -c 'clear bgp {address}'")
    stage.becomes(
        "the router's kernel drops segments without a signature",
        lambda: observe.counted(stage, web.ROUTER, "TcpExtTCPMD5NotFound"),
        at_least(1),
        within=BGP_SESSION,
    )
    state = observe.neighbors(stage, web.ROUTER)[address].state
    stage.holds(f"the session with {NODE} is not up", state, other_than("Established"))
    left = observe.node_addresses(stage) - {address}
    web.is_announced_by(stage, "the other nodes are next hops", left)
    stage.show(web.ROUTER, "vtysh -c 'show bgp summary'")
    web.is_answered(stage)


@scenario.step("Without it the session comes up again")
def right(stage: Stage) -> None:
    """Both sides try again and again by themselves."""
    address = str(stage.plan.node(NODE).address)
    configure(stage, f"no neighbor {address} password")
    web.is_announced_by(stage, "every node is a next hop again", observe.node_addresses(stage))
    web.is_answered(stage)


def configure(stage: Stage, line: str) -> None:
    """Change one line of the router's BGP configuration."""
    stage.show(web.ROUTER, f"vtysh -c 'configure terminal' -c 'router bgp 64512' -c '{line}'")
