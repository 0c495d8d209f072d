"""Direct server return over IPv6: an extension header tells the pod's node the service."""

from __future__ import annotations

from lab.scenario import families, observe, walk, web
from lab.scenario.bounds import PACKETS_CAPTURED
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least

VIP6 = "2001:db8:172::"
TOLD = "ip6[6] == 60"
"""The next header is destination options: tcpdump's `port` does not look behind such a header."""
REQUESTS = f"(ip6 and tcp port 80) or {TOLD}"

scenario = Scenario(
    "The short way back, for IPv6",
    topology="dual_stack",
    options={"mode": "dsr"},
    manifests=("dual_stack.yaml",),
)


@scenario.step("The first packet tells the service, the replies take the short way")
def direct(stage: Stage) -> None:
    """IPv6 has no options in its header, so they stand in one of their own. The ingress node puts
    it into the SYN; who does not know option 0x1b skips it, as the pod does. The pod's node has
    learned from it in whose name to answer."""
    nodes = observe.node_addresses(stage, like=VIP6)
    web.is_announced_by(stage, "every node is a next hop", nodes, vip=VIP6)
    (pod,) = web.pods(stage)
    with stage.capture_all(REQUESTS) as captures:
        path = walk.from_router(stage, web.ROUTER, VIP6, walk.others(stage, pod), first_port=40000)
        client = f"{families.peer_of(stage, VIP6)}.{path.port}"
        on_ingress = next(c for c in captures if c.node == path.ingress)
        on_host = next(c for c in captures if c.node == pod.node)
        stage.becomes(
            "the pod's node sends the replies",
            lambda: sum(packet.destination == client for packet in on_host.packets()),
            at_least(3),
            within=PACKETS_CAPTURED,
        )
    passed = sum(packet.destination == client for packet in on_ingress.packets())
    told = sum("DSTOPT" in line for line in on_host.printed())
    stage.show_capture(on_ingress)
    stage.show_capture(on_host)
    stage.holds("requests that came with the service's address", told, at_least(1))
    stage.holds("replies that pass the ingress node", passed, 0)


@scenario.step("And the pod sees who asks, in both families")
def source(stage: Stage) -> None:
    """Only the destination was ever changed."""
    (pod,) = web.pods(stage)
    for client in ("client1", "client2", "client3"):
        for vip in (web.ADDRESS, VIP6):
            web.is_answered(stage, client, url=families.url(vip))
            address = families.address_of(stage.plan.node(client), vip)
            web.was_asked_by(stage, pod, f"nginx saw {client} on {vip}", address)
