"""Direct server return: the pod's node answers the client itself."""

from __future__ import annotations

from lab.scenario import observe, walk, web
from lab.scenario.bounds import PACKETS_CAPTURED
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least

scenario = Scenario(
    "Replies that take the short way", options={"mode": "dsr"}, manifests=(web.MANIFEST,)
)


@scenario.step("Another node sends the request on, and keeps out of the reply")
def direct(stage: Stage) -> None:
    """The ingress node sends the client's packet on as it is, with the service's address added as
    an IP option. The pod's node can therefore answer in the service's name. The capture on the
    ingress node sees what the client sends and nothing of what it gets."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    (pod,) = web.pods(stage)
    towards = walk.others(stage, pod)
    with stage.capture_all("tcp port 80") as captures:
        path = walk.from_router(stage, web.ROUTER, web.ADDRESS, towards, first_port=40000)
        requests = f"{path.client.replace(':', '.')}"
        on_ingress = next(c for c in captures if c.node == path.ingress)
        on_host = next(c for c in captures if c.node == pod.node)
        stage.becomes(
            "the pod's node sends the replies",
            lambda: sum(packet.destination == requests for packet in on_host.packets()),
            at_least(3),
            within=PACKETS_CAPTURED,
        )
    passed = [p for p in on_ingress.packets() if p.destination == requests]
    stage.show_capture(on_ingress)
    stage.show_capture(on_host)
    stage.holds("none of them passes the ingress node", len(passed), 0)


@scenario.step("And the pod sees who asks")
def source(stage: Stage) -> None:
    """No translation of the source, no lost address: compare with the scenario source-ip."""
    (pod,) = web.pods(stage)
    router = str(stage.plan.node(web.ROUTER).interfaces[0].address.ip)
    web.was_asked_by(stage, pod, "nginx saw the router", router)
    stage.show(stage.control, f"kubectl logs {pod.name} --tail 1")
    for client in ("client1", "client2", "client3"):
        web.is_answered(stage, client)
        address = str(stage.plan.node(client).address)
        web.was_asked_by(stage, pod, f"nginx saw {client}", address)


@scenario.step("At any node's address, too")
def node_port(stage: Stage) -> None:
    """A NodePort is at every node. The option names the address that was asked, which is the
    other node's own; the pod's node knows the NodePort, and answers in that node's name."""
    (pod,) = web.pods(stage)
    (number,) = observe.services(stage)[web.SERVICE].node_ports
    other = next(node for node in stage.plan.kube_nodes if node.name != pod.node)
    web.is_answered(stage, url=f"http://{other.address}:{number}/")
    address = str(stage.plan.node(web.CLIENT).address)
    web.was_asked_by(stage, pod, f"nginx saw {web.CLIENT}", address)
