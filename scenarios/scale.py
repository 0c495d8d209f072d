"""Twenty workers and five hundred services: the same as six nodes and one, only more of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lab.scenario import observe, web
from lab.scenario.bounds import Bound
from lab.scenario.reading import curl
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario

SERVICES = 500
POOL = "172.16.8.0/22"
FIRST = "172.16.8.0"
SPREAD = Bound("500 services reach the maps and the FRR of 21 nodes", 180)
WITHDRAWN = Bound("500 withdrawals reach the router's kernel", 60)

scenario = Scenario("Many nodes, many services", topology="scale", manifests=(web.MANIFEST,))


@scenario.step("Twenty-one next hops")
def nodes(stage: Stage) -> None:
    """A node costs the lab some 50 ms of its start: a namespace, zebra and bgpd, an agent that is
    forked from a process that has read its code already."""
    stage.show(stage.control, "kubectl get nodes")
    everyone = observe.node_addresses(stage)
    web.is_announced_by(stage, "every node is a next hop", everyone, vip=FIRST)
    stage.holds("so many next hops", len(everyone), 21)
    web.is_answered(stage, url=f"http://{FIRST}/")


@scenario.step("Five hundred services")
def services(stage: Stage) -> None:
    """Each gets an address of its own out of the pool; every node learns of it, balances it and
    announces it. The router's kernel shares one group of next hops among all the routes."""
    stage.create([service(number) for number in range(1, SERVICES + 1)])
    stage.becomes(
        "routes by their number of next hops",
        lambda: observe.routes_by_next_hops(stage, web.ROUTER, POOL),
        {21: SERVICES + 1},
        within=SPREAD,
    )
    last = stage.plan.kube_nodes[-1].name
    stage.becomes(
        f"services in front of the pod in the map of {last}",
        lambda: observe.balancer_list(stage, last).count("[LoadBalancer]"),
        SERVICES + 1,
        within=SPREAD,
    )
    listed = observe.services(stage)
    addresses = {address for one in listed.values() for address in one.external}
    stage.holds("different addresses", len(addresses), SERVICES + 1)


@scenario.step("All of them answer")
def answer(stage: Stage) -> None:
    """A connection to each of the pool's first 501 addresses, one after the other."""
    answered = [
        transfer.status
        for addresses in ("172.16.8.[0-255]", "172.16.9.[0-244]")
        for transfer in curl.transfers(
            stage.run(web.CLIENT, curl.repeated(f"http://{addresses}/", 1), timeout=120).out
        )
    ]
    stage.holds("answers by status", dict(Counter(answered)), {200: SERVICES + 1})


@scenario.step("One node leaves all of them")
def leaves(stage: Stage) -> None:
    """Five hundred routes lose the same next hop."""
    stage.show(stage.control, f"kubectl label node k8s-worker20 {web.EXCLUDE}=")
    stage.becomes(
        "routes by their number of next hops",
        lambda: observe.routes_by_next_hops(stage, web.ROUTER, POOL),
        {20: SERVICES + 1},
        within=WITHDRAWN,
    )
    web.is_answered(stage, url=f"http://{FIRST}/")


def service(number: int) -> dict[str, Any]:
    """A LoadBalancer service in front of the same pod as all others."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"web-{number:03}"},
        "spec": {
            "type": "LoadBalancer",
            "ports": [{"port": 80}],
            "selector": {"svc": web.SERVICE},
        },
    }
