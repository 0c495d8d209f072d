"""More services than addresses: who waits, who is told, and what happens when one leaves."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import API_ANSWER
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import containing

scenario = Scenario(
    "A pool with two addresses and three services",
    options={"vip_pool": "172.16.10.0/31"},
    manifests=(web.MANIFEST, "pool_exhausted.yaml"),
)


@scenario.step("Two services, two addresses, and the pool is empty")
def full(stage: Stage) -> None:
    """The pool is a /31. Both its addresses are given."""
    for url in (web.URL, "http://172.16.10.1/"):
        web.is_answered(stage, url=url)
    stage.show(stage.control, "kubectl get svc")


@scenario.step("The third service waits")
def third(stage: Stage) -> None:
    """It gets everything but an external address: a ClusterIP, a NodePort, and an event that says
    what is missing."""
    line = "kubectl expose deployment web1 --name web3-lb --type LoadBalancer --port 80"
    stage.show(stage.control, line)
    stage.becomes(
        "an event tells why it has no address",
        lambda: stage.run(stage.control, "kubectl describe service web3-lb").out,
        containing("AllocationFailed"),
        within=API_ANSWER,
    )
    shown = stage.show(stage.control, "kubectl get svc web3-lb")
    stage.holds("its address is pending", shown.out, containing("<pending>"))
    service = observe.services(stage)["web3-lb"]
    stage.holds("it has no external address", service.external, ())


@scenario.step("One leaves, the waiting one moves up")
def moves_up(stage: Stage) -> None:
    """An address that becomes free goes to whoever waits. Nobody has to ask again."""
    stage.show(stage.control, "kubectl delete service web2-lb")
    stage.becomes(
        "the third service has the freed address",
        lambda: list(observe.services(stage)["web3-lb"].external),
        ["172.16.10.1"],
        within=API_ANSWER,
    )
    web.is_answered(stage, url="http://172.16.10.1/")
