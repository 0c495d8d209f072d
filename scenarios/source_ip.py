"""Whose address does the pod see? The client's, or that of the node that sent it on."""

from __future__ import annotations

from lab.scenario import observe, walk, web
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import containing

scenario = Scenario("When the pod sees the client's address", manifests=(web.MANIFEST,))


@scenario.step("Sent on by another node: the address is lost")
def remote(stage: Stage) -> None:
    """The reply has to come back through the node that did the translation, so that node puts
    its own address in. All the pod's log can tell is which node that was."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    pod = web.pods(stage)[0]
    path = walk.from_router(
        stage, web.ROUTER, web.ADDRESS, walk.others(stage, pod), first_port=40000
    )
    ingress = str(stage.plan.node(path.ingress).router_ip)
    web.was_asked_by(stage, pod, "nginx saw the ingress node", ingress)
    stage.show(stage.control, f"kubectl logs {pod.name} --tail 1")


@scenario.step("Delivered by the pod's own node: the address is kept")
def local(stage: Stage) -> None:
    """The reply passes that node anyway. There is no need to hide the client."""
    pod = web.pods(stage)[0]
    walk.from_router(stage, web.ROUTER, web.ADDRESS, {pod.node}, first_port=41000)
    router = str(stage.plan.node(web.ROUTER).interfaces[0].address.ip)
    web.was_asked_by(stage, pod, "nginx saw the router itself", router)


@scenario.step("externalTrafficPolicy Local: always kept")
def policy(stage: Stage) -> None:
    """Now only the nodes with a pod announce the address. No connection has to be sent on, and
    the clients' addresses arrive, at the price of fewer ways in."""
    web.patch(stage, '"externalTrafficPolicy": "Local"')
    web.is_announced_by(stage, "only the pod's node is a next hop", web.nodes_with_pods(stage))
    pod = web.pods(stage)[0]
    for client in ("client1", "client2", "client3"):
        web.is_answered(stage, client)
        address = str(stage.plan.node(client).address)
        web.was_asked_by(stage, pod, f"nginx saw {client}", address)
    stage.show(stage.control, f"kubectl logs {pod.name} --tail 4")


@scenario.step("Back to Cluster: every node is a way in again")
def back(stage: Stage) -> None:
    """The policy is a matter of announcements and of translation, both of which follow it."""
    web.patch(stage, '"externalTrafficPolicy": "Cluster"')
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    web.is_answered(stage)
    services = stage.show(stage.control, f"kubectl get service {web.SERVICE}")
    stage.holds("the service kept its address", services.out, containing(web.ADDRESS))
