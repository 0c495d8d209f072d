"""One node's announcement looks better than the others': no more spreading."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario

NODE = "k8s-worker4"

scenario = Scenario("A small difference that ends load balancing", manifests=(web.MANIFEST,))


@scenario.step("Six paths that are equal in everything")
def equal(stage: Stage) -> None:
    """BGP uses several paths only if nothing tells them apart: local preference, length of the AS
    path, origin, MED."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    stage.show(web.ROUTER, f"vtysh -c 'show bgp ipv4 unicast {web.ADDRESS}/32'")


@scenario.step("Five say `incomplete`, one says `IGP`")
def mismatch(stage: Stage) -> None:
    """It happens in migrations: an old speaker gives its routes the origin `incomplete` (`?`), a
    new one `IGP` (`i`). Here the router is told to read five of the six that way. IGP is better,
    so the one other node gets all the traffic; and nothing is broken that an alarm would notice."""
    left = str(stage.plan.node(NODE).address)
    lines = ["route-map old-speaker permit 10", "set origin incomplete", "exit", "router bgp 64512"]
    lines.append("address-family ipv4 unicast")
    lines += [
        f"neighbor {node.address} route-map old-speaker in"
        for node in stage.plan.kube_nodes
        if node.name != NODE
    ]
    configure(stage, lines)
    web.is_announced_by(stage, f"{NODE} alone is left", {left})
    stage.show(web.ROUTER, f"vtysh -c 'show bgp ipv4 unicast {web.ADDRESS}/32'")
    stage.show(web.ROUTER, f"ip route show {web.ADDRESS}")
    web.is_answered(stage)


@scenario.step("All say the same, and all are used again")
def again(stage: Stage) -> None:
    """The sixth is made to say `incomplete`, too. Which origin it is does not matter, only that
    it is the same."""
    address = stage.plan.node(NODE).address
    configure(
        stage,
        [
            "router bgp 64512",
            "address-family ipv4 unicast",
            f"neighbor {address} route-map old-speaker in",
        ],
    )
    web.is_announced_by(stage, "every node is a next hop again", observe.node_addresses(stage))


def configure(stage: Stage, lines: list[str]) -> None:
    """Change the router's configuration."""
    words = " ".join(f"-c '{line}'" for line in ["configure terminal", *lines])
    stage.show(web.ROUTER, f"vtysh {words}")
