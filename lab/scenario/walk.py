"""One connection through the lab: sent to a chosen node, and followed by the flows it left."""

from __future__ import annotations

from dataclasses import dataclass

from lab.scenario import families, observe, spread
from lab.scenario.bounds import FLOW_EVENTS
from lab.scenario.reading.cluster import Pod
from lab.scenario.reading.flows import Flow
from lab.scenario.stage import Stage
from lab.scenario.wanted import Wanted

CURL_TIMED_OUT = 28
TELL = r"-w '%{http_code}, %{size_download} bytes\n'"


@dataclass(frozen=True)
class Walk:
    """A connection from the router: its own end, and the node that it came to first."""

    client: str
    """Address and port."""
    ingress: str

    @property
    def port(self) -> int:
        return int(self.client.rpartition(":")[2])


def from_router(
    stage: Stage, router: str, target: str, towards: set[str], *, first_port: int
) -> Walk:
    """Find a local port that the router's hash sends to one of the nodes, and fetch from there."""
    addresses = {families.address_of(stage.plan.node(name), target) for name in towards}
    port, hop = spread.local_port_towards(stage, router, target, addresses, first=first_port)
    stage.show(router, spread.question(stage, target, local_port=port))
    asked = stage.show(
        router, f"curl -s -m 5 --local-port {port} {families.url(target)} -o /dev/null {TELL}"
    )
    ingress = observe.node_at(stage, hop)
    look = f"`hubble observe --port {port}` on {ingress}: was it dropped, and why?"
    stage.holds(f"curl from port {port} is answered 200", asked.out[:3], "200", look=look)
    source = families.bracketed(families.peer_of(stage, target))
    return Walk(f"{source}:{port}", ingress)


def into_nothing(stage: Stage, router: str, target: str, node: str, *, first_port: int) -> int:
    """A connection from the router by one node, which nobody answers; returns its local port."""
    hop = {families.address_of(stage.plan.node(node), target)}
    port, _ = spread.local_port_towards(stage, router, target, hop, first=first_port)
    line = f"curl -s -S -m 1 --local-port {port} {families.url(target)} -o /dev/null"
    tried = stage.show(router, line)
    stage.holds("curl through that node times out", tried.code, CURL_TIMED_OUT)
    return port


def others(stage: Stage, pod: Pod) -> set[str]:
    """Names of the cluster's nodes that do not host the pod."""
    return {node.name for node in stage.plan.kube_nodes} - {pod.node}


def flows(stage: Stage, walk: Walk, node: str) -> list[Flow]:
    """What a node saw of the connection, once it has seen it end; shown with hubble."""
    stage.becomes(
        f"{node} has seen the connection end",
        lambda: {flow.tcp_flags for flow in observe.connection(stage, node, walk.port)},
        Wanted("flows with a FIN among them", lambda seen: any("FIN" in flags for flags in seen)),
        within=FLOW_EVENTS,
    )
    line = f"hubble observe --port {walk.port}"
    return observe.read_flows(stage.show(node, line).out, walk.port)


def shapes(seen: list[Flow]) -> list[str]:
    """The different kinds of line in the order of their first appearance."""
    return list(dict.fromkeys(flow.shape for flow in seen))


def sources(seen: list[Flow]) -> set[str]:
    """Who sent the packets that were delivered to the pod or sent on towards it."""
    return {flow.left for flow in seen if flow.kind == "to-endpoint" or "/" in flow.right}
