"""Hubble's pods among the objects of a new cluster, and what the control plane makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from lab.agent.pods.images import find
from lab.hubble.relay import main as relay
from lab.hubble.ui import main as page
from lab.kube import hubble_pods
from lab.kube.bootstrap import objects
from lab.topology.load import load
from lab.topology.resolve import resolve
from tests.unit.kube.cluster import Cluster, node, with_cluster

Object = dict[str, Any]

OBJECTS = {(obj["kind"], obj["metadata"]["name"]): obj for obj in hubble_pods.objects()}

PODS = "/api/v1/namespaces/kube-system/pods"


def container(name: str) -> Object:
    found: Object = OBJECTS["Deployment", name]["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize(("name", "port"), [("hubble-relay", relay.PORT), ("hubble-ui", page.PORT)])
def test_a_service_leads_to_the_port_on_which_the_program_listens(name: str, port: int) -> None:
    labels = OBJECTS["Deployment", name]["spec"]["template"]["metadata"]["labels"]
    service = OBJECTS["Service", name]["spec"]
    assert service["selector"].items() <= labels.items()
    ports = {each["name"]: each["containerPort"] for each in container(name)["ports"]}
    assert ports[service["ports"][0]["targetPort"]] == port
    assert find(container(name)["image"]) is not None


def test_only_the_relay_is_reached_at_the_nodes_addresses() -> None:
    relay_service = OBJECTS["Service", "hubble-relay"]["spec"]
    page_service = OBJECTS["Service", "hubble-ui"]["spec"]
    assert (relay_service["type"], relay_service["ports"][0]["nodePort"]) == ("NodePort", 31234)
    assert (page_service["type"], "nodePort" in page_service["ports"][0]) == ("ClusterIP", False)


def test_everything_of_hubble_is_in_kube_system_and_takes_no_address_of_the_pool() -> None:
    bootstrapped = objects(resolve(load("basic")))
    ours = [o for o in bootstrapped if o["metadata"]["name"].startswith("hubble-")]
    assert sorted((o["kind"], o["metadata"]["name"]) for o in ours) == sorted(OBJECTS)
    assert {o["metadata"]["namespace"] for o in ours} == {"kube-system"}
    services = [o for o in bootstrapped if o["kind"] == "Service"]
    assert not [o for o in services if o["spec"].get("type") == "LoadBalancer"]


def test_they_wait_for_the_control_planes_node_and_leave_the_workers_alone() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.run_pods()
        pods = (await cluster.get(PODS)).body["items"]
        assert len(pods) == 2
        assert {pod["spec"].get("nodeName") for pod in pods} == {None}
        await cluster.post("/api/v1/nodes", master())
        await cluster.settle()
        pods = (await cluster.get(PODS)).body["items"]
        assert {pod["spec"]["nodeName"] for pod in pods} == {"master"}

    with_cluster(story, node("worker"), *hubble_pods.objects())


def master() -> Object:
    made = node("master", taints=[{"key": hubble_pods.CONTROL_PLANE, "effect": "NoSchedule"}])
    made["metadata"]["labels"][hubble_pods.CONTROL_PLANE] = ""
    return made
