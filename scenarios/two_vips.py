"""Two services, two addresses, two routes."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario

SECOND = "172.16.10.1"

scenario = Scenario(
    "Each service gets an address and a route of its own", manifests=(web.MANIFEST,)
)


@scenario.step("The second service gets the second address")
def second(stage: Stage) -> None:
    """The pool hands out its addresses in order."""
    web.is_answered(stage)
    stage.apply("two_vips.yaml")
    web.is_answered(stage, url=f"http://{SECOND}/")
    stage.show(stage.control, "kubectl get svc")
    services = observe.services(stage)
    stage.holds("the first one has .0", services["web1-lb"].external, (web.ADDRESS,))
    stage.holds("the second one has .1", services["web2-lb"].external, (SECOND,))


@scenario.step("Both are announced by every node")
def announced(stage: Stage) -> None:
    """Two host routes with six next hops each; the kernel shares one group between them."""
    for vip in (web.ADDRESS, SECOND):
        web.is_announced_by(
            stage, f"{vip}: every node is a next hop", observe.node_addresses(stage), vip=vip
        )
    stage.show(web.ROUTER, "ip route show proto bgp")


@scenario.step("One goes, the other stays")
def one_goes(stage: Stage) -> None:
    """Deleting a service withdraws its address from everywhere, and only that."""
    stage.show(stage.control, "kubectl delete service web2-lb")
    web.is_announced_by(stage, f"the route to {SECOND} is gone", set(), vip=SECOND)
    hops = observe.next_hops(stage, web.ROUTER, web.ADDRESS)
    stage.holds("the other route is as it was", hops, observe.node_addresses(stage))
    web.is_answered(stage)
