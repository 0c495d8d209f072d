"""Hubble's web page gets an address of the pool, and shows who talks to whom."""

from __future__ import annotations

import json
import re
from typing import Any

from lab.scenario import observe, web
from lab.scenario.bounds import Bound
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import containing

PAGE = "172.16.10.1"
EXPOSE = (
    "kubectl -n kube-system expose deployment hubble-ui --type=LoadBalancer"
    " --port=80 --target-port=8081 --name hubble-ui-lb"
)
MAP_DRAWN = Bound("the page has learned of all nodes and of a probe", 20)

scenario = Scenario("The web page of Hubble at an address of its own", manifests=(web.MANIFEST,))


@scenario.step("The page is exposed like any other service")
def exposed(stage: Stage) -> None:
    """Its deployment runs in kube-system from the start. One command gives it the pool's second
    address, announced by every node as a second host route."""
    web.is_answered(stage)
    stage.show(stage.control, EXPOSE)
    web.is_announced_by(
        stage, f"{PAGE}: every node is a next hop", observe.node_addresses(stage), vip=PAGE
    )
    web.is_answered(stage, url=f"http://{PAGE}/default")
    stage.show(stage.control, "kubectl -n kube-system get svc,pods")


@scenario.step("A browser in the LAN is served by one request")
def served(stage: Stage) -> None:
    """The page is one document. It needs nothing from outside the lab, and forbids the browser to
    fetch any: a flow may carry names that somebody else has chosen."""
    head = stage.show(web.CLIENT, f"curl -s -I -X GET http://{PAGE}/default").out
    stage.holds("it forbids whatever it does not need", head, containing("default-src 'none'"))
    page = stage.run(web.CLIENT, f"curl -s http://{PAGE}/default").out
    named = set(re.findall(r'(?:src|href)="([^"]+)"', page))
    fetched = {name for name in named if not name.startswith("data:")} - {"/"}
    stage.holds("it names no other file", fetched, set())


@scenario.step("The map shows the service, and who asks it")
def mapped(stage: Stage) -> None:
    """`host` is the kubelet that probes the pod; `remote-node` is a node that passed a client's
    connection on, and stands in for the client: the address of the client is lost on the way."""
    for _ in range(12):
        stage.run(web.CLIENT, f"curl -s -o /dev/null {web.URL}")
    stage.becomes(
        "host and remote-node ask port 80",
        lambda: {"host", "remote-node"} & _askers(stage),
        {"host", "remote-node"},
        within=MAP_DRAWN,
    )
    nodes = len(observe.node_addresses(stage))
    status = _events(stage)["status"]
    stage.holds("all nodes are connected", (status["connected"], status["total"]), (nodes, nodes))


def _askers(stage: Stage) -> set[str]:
    """Cards with a link into port 80 of a card of the namespace."""
    picture = _events(stage).get("map", {"links": []})
    return {link["source"] for link in picture["links"] if link["port"] == 80}


def _events(stage: Stage) -> dict[str, Any]:
    """The first of each kind of event that the page would get, for the namespace default."""
    # curl ends with 28 when its time is up: the stream itself does not end.
    stream = stage.probe(web.CLIENT, f"curl -s -N -m 2 http://{PAGE}/api/stream?namespace=default")
    events: dict[str, Any] = {}
    for block in stream.out.split("\n\n"):
        name, _, data = block.partition("\n")
        if name.startswith("event: ") and data.startswith("data: "):
            try:
                events.setdefault(name.removeprefix("event: "), json.loads(data[6:]))
            except ValueError:
                continue  # cut off by curl's end
    return events
