"""Native XDP: a node forwards connections that no capture on it sees."""

from __future__ import annotations

from lab.scenario import observe, walk, web
from lab.scenario.bounds import PACKETS_CAPTURED
from lab.scenario.capture import Packet
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least, containing

scenario = Scenario(
    "What tcpdump cannot see", options={"acceleration": "native"}, manifests=(web.MANIFEST,)
)


@scenario.step("With XDP: the router sends it, the ingress node forwards it, nobody there saw it")
def accelerated(stage: Stage) -> None:
    """The program runs in the uplink's driver, before there is a socket buffer to capture. It
    rewrites the request, wraps it into VXLAN and sends it out of the link that it came by; the
    reply is unwrapped and sent to the client in the same way. Flow events are made all the same:
    they come from the program, not from a tap."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    stage.show(_ingress(stage), "ip link show eth0")
    path, captured = _watched(stage, first_port=45000)
    stage.holds("requests in the ingress node's capture", captured, 0)
    flows = walk.flows(stage, path, path.ingress)
    stage.holds(
        "flows at the ingress node", {flow.kind for flow in flows}, containing("to-overlay")
    )


@scenario.step("Without: the same packets, the same answer, and a capture that shows them")
def by_tc(stage: Stage) -> None:
    """With the XDP program taken off, the packet becomes a socket buffer, the capture gets its
    copy, and then tc's program does the same work on the same maps."""
    taken_off = stage.show(_ingress(stage), "ip link set dev eth0 xdpdrv off")
    stage.holds("the node takes its program off", taken_off.code, 0)
    _, captured = _watched(stage, first_port=46000)
    stage.holds("requests in the ingress node's capture", captured, at_least(3))


def _ingress(stage: Stage) -> str:
    """A node without the pod: always the same one."""
    (pod,) = web.pods(stage)
    return min(walk.others(stage, pod))


def _watched(stage: Stage, *, first_port: int) -> tuple[walk.Walk, int]:
    """One connection through the ingress node, answered and seen at the router in any case; and how
    many of its packets a capture on the ingress node saw come in."""
    (pod,) = web.pods(stage)
    ingress = _ingress(stage)
    # XDP needs to know the next hop's MAC address; what it does not know it leaves to tc.
    stage.run(ingress, f"ping -c 1 -W 5 {stage.plan.node(pod.node).address}")
    router = stage.plan.node(web.ROUTER).interfaces[0].name
    with (
        stage.capture(web.ROUTER, router, "tcp port 80") as there,
        stage.capture(ingress, "eth0", "tcp port 80") as here,
    ):
        path = walk.from_router(stage, web.ROUTER, web.ADDRESS, {ingress}, first_port=first_port)
        stage.becomes(
            "requests in the router's capture",
            lambda: _requests(there.packets()),
            at_least(3),
            within=PACKETS_CAPTURED,
        )
    replies = [one for one in there.packets() if one.source == f"{web.ADDRESS}.80"]
    stage.show_capture(there)
    stage.show_capture(here)
    stage.holds("replies in the router's capture", len(replies), at_least(3))
    return path, _requests(here.packets())


def _requests(packets: list[Packet]) -> int:
    return sum(packet.destination == f"{web.ADDRESS}.80" for packet in packets)
