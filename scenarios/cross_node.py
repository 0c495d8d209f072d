"""A connection that reaches the wrong node: rewritten, sent on, and the same way back."""

from __future__ import annotations

from lab.scenario import observe, walk
from lab.scenario.bounds import ANNOUNCEMENT, PACKETS_CAPTURED
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least, containing, something

VIP = "172.16.10.0"
ROUTER = "bgp-router1"
WEB = "svc=web1-lb"

scenario = Scenario("The ingress node redirects to the pod's node", manifests=("web1.yaml",))


@scenario.step("One pod, six ways in")
def pods(stage: Stage) -> None:
    """Five of the six nodes that the router can choose do not have the pod."""
    stage.becomes(
        "every node is a next hop",
        lambda: observe.next_hops(stage, ROUTER, VIP),
        observe.node_addresses(stage),
        within=ANNOUNCEMENT,
    )
    stage.show(stage.control, "kubectl get pods -o wide")
    stage.show(ROUTER, f"ip route show {VIP}")


@scenario.step("What travels between the two nodes")
def encapsulated(stage: Stage) -> None:
    """A capture on the pod's node shows the connection as it arrives: inside UDP to port 8472,
    from one node to the other. The inner packet goes from the ingress node's address in the pod
    network to the pod, and keeps the client's port."""
    pod = observe.ready_pods(stage, WEB)[0]
    with stage.capture(pod.node, "eth0", "udp port 8472") as overlay:
        path = walk.from_router(stage, ROUTER, VIP, walk.others(stage, pod), first_port=42000)
        inner = f"{stage.plan.node(path.ingress).router_ip}.{path.port} > {pod.address}.80"
        stage.becomes(
            "at least four packets come out of the tunnel for the pod",
            lambda: sum(inner in line for line in overlay.printed()),
            at_least(4),
            within=PACKETS_CAPTURED,
        )
    stage.show_capture(overlay, first=6)
    outer = {packet.source.rpartition(".")[0] for packet in overlay.packets()}
    ingress = str(stage.plan.node(path.ingress).address)
    stage.holds("the ingress node is one end of the tunnel", outer, containing(ingress))


@scenario.step("Both nodes tell of the same connection")
def both(stage: Stage) -> None:
    """The ingress node reports packets on their way into the overlay, before it rewrites their
    source; the pod's node reports them as they reach the pod, with the rewritten source."""
    pod = observe.ready_pods(stage, WEB)[0]
    path = walk.from_router(stage, ROUTER, VIP, walk.others(stage, pod), first_port=43000)
    sent_on = walk.flows(stage, path, path.ingress)
    arrived = walk.flows(stage, path, pod.node)
    stage.holds("the ingress node names the client", walk.sources(sent_on), {path.client})
    snat = f"{stage.plan.node(path.ingress).router_ip}:{path.port}"
    stage.holds("the pod's node names the ingress node", walk.sources(arrived), {snat})


@scenario.step("What the ingress node remembers")
def remembered(stage: Stage) -> None:
    """To undo the rewriting for replies, the ingress node keeps two entries: connection tracking
    (which service this was) and the translation of the source (which client)."""
    pod = observe.ready_pods(stage, WEB)[0]
    path = walk.from_router(stage, ROUTER, VIP, walk.others(stage, pod), first_port=44000)
    translations = stage.show(path.ingress, "cilium bpf nat list").out
    about = [line for line in translations.splitlines() if f":{path.port}" in line]
    stage.holds("the translation has an entry for each direction", len(about), 2)
    tracked = stage.run(path.ingress, "cilium bpf ct list global").out
    known = [line for line in tracked.splitlines() if f":{path.port}" in line]
    stage.holds("connection tracking knows the connection", known, something())
