"""Two services, two addresses, two routes: the web server, and Hubble's page."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import containing

SECOND = "172.16.10.1"
PAGE = f"http://{SECOND}/default"
EXPOSE = (
    "kubectl -n kube-system expose deployment hubble-ui --type=LoadBalancer"
    " --port=80 --target-port=8081 --name hubble-ui-lb"
)

scenario = Scenario(
    "Each service gets an address and a route of its own", manifests=(web.MANIFEST,)
)


@scenario.step("The second service gets the second address")
def second(stage: Stage) -> None:
    """Hubble's page runs in kube-system from the start; one command makes it a service of type
    LoadBalancer. The pool hands out its addresses in order, whatever the namespace."""
    web.is_answered(stage)
    stage.show(stage.control, EXPOSE)
    web.is_answered(stage, url=PAGE)
    listed = stage.show(stage.control, "kubectl get svc -A").out.splitlines()
    stage.holds("the first one has .0", _line_of(web.SERVICE, listed), containing(web.ADDRESS))
    stage.holds("the second one has .1", _line_of("hubble-ui-lb", listed), containing(SECOND))
    page = stage.run(web.CLIENT, f"curl -s {PAGE}").out
    stage.holds("and there is the page", page, containing("<title>Hubble</title>"))


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
    stage.show(stage.control, "kubectl -n kube-system delete service hubble-ui-lb")
    web.is_announced_by(stage, f"the route to {SECOND} is gone", set(), vip=SECOND)
    hops = observe.next_hops(stage, web.ROUTER, web.ADDRESS)
    stage.holds("the other route is as it was", hops, observe.node_addresses(stage))
    web.is_answered(stage)


def _line_of(service: str, lines: list[str]) -> str:
    return next((line for line in lines if f" {service} " in line), "")
