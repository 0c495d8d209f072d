"""Two services on one address: same key, different ports."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import API_ANSWER
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import tell

SHARED = "172.16.10.1"
NAMES = ("shared-http", "shared-alt")

scenario = Scenario("Services that share an address", manifests=(web.MANIFEST,))


@scenario.step("The same address twice")
def shared(stage: Stage) -> None:
    """Both services carry the annotation allow-shared-ip with the same key, and their ports
    differ: port 80 and port 8080 of one address. web1-lb has no key and keeps its own."""
    web.is_answered(stage)
    stage.apply("ip_sharing.yaml")
    stage.becomes(
        "both have the second address",
        lambda: [tell(observe.services(stage)[name].external) for name in NAMES],
        [SHARED, SHARED],
        within=API_ANSWER,
    )
    stage.show(stage.control, "kubectl get svc")


@scenario.step("Each port leads to its service")
def ports(stage: Stage) -> None:
    """For the router it is one address and one route; the nodes tell the services apart."""
    web.is_answered(stage, "client1", url=f"http://{SHARED}/")
    web.is_answered(stage, "client2", url=f"http://{SHARED}:8080/")
    stage.show(web.ROUTER, f"ip route show {SHARED}")


@scenario.step("The address stays for as long as one of them needs it")
def one_left(stage: Stage) -> None:
    """Without shared-http its port is silent, and the announcement goes on for the other."""
    stage.show(stage.control, "kubectl delete service shared-http")
    stage.becomes(
        "port 80 is silent",
        lambda: observe.fetch(stage, "client1", f"http://{SHARED}/", timeout=0.5).status,
        0,
        within=API_ANSWER,
    )
    web.is_answered(stage, "client2", url=f"http://{SHARED}:8080/")
    stage.show(stage.control, "kubectl delete service shared-alt")
    web.is_announced_by(stage, "after the last one the route is gone", set(), vip=SHARED)
