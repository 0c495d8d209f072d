"""eBGP: every node has an AS number of its own, and all six are still next hops."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import BGP_SESSION
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least, containing, other_than

NODE = "k8s-worker3"

scenario = Scenario(
    "A node, an autonomous system",
    options={"node_asn": 64601, "ttl_security": 1},
    manifests=(web.MANIFEST,),
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


@scenario.step("Who comes from farther away is not heard")
def far(stage: Stage) -> None:
    """A neighbor in another system may be anybody on the Internet who forges its address. The
    router takes packets with a TTL of 255 only (GTSM, RFC 5082): nobody but a direct neighbor can
    send one that arrives with it. A node that sends with 2 might as well be far away."""
    address = str(stage.plan.node(NODE).address)
    shown = stage.show(web.ROUTER, f"vtysh -c 'show bgp neighbors {address}'").out
    stage.holds("the router looks at the TTL", shown, containing("may be up to 1 hop"))
    hops(stage, 2)
    stage.becomes(
        "the router's kernel drops what comes with less",
        lambda: observe.counted(stage, web.ROUTER, "TcpExtTCPMinTTLDrop"),
        at_least(1),
        within=BGP_SESSION,
    )
    state = observe.neighbors(stage, web.ROUTER)[address].state
    stage.holds(f"the session with {NODE} is not up", state, other_than("Established"))
    left = observe.node_addresses(stage) - {address}
    web.is_announced_by(stage, "the other nodes are next hops", left)
    hops(stage, 255)
    web.is_announced_by(stage, "with 255 it is one again", observe.node_addresses(stage))


def hops(stage: Stage, ttl: int) -> None:
    """Change the TTL of what a node sends to the router, by hand."""
    asn, router = stage.plan.node(NODE).asn, web.peer(stage)
    lines = (f"router bgp {asn}", f"neighbor {router} ebgp-multihop {ttl}")
    words = " ".join(f"-c '{line}'" for line in ("configure terminal", *lines))
    stage.show(NODE, f"vtysh {words}")
