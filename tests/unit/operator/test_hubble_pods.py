"""Hubble's pods: the objects, and when and where the control plane makes pods of them."""

from __future__ import annotations

from typing import Any

import pytest

from lab.agent.pods.images import find
from lab.controllers.bootstrap import CONTROL_PLANE
from lab.hubble.relay import main as relay
from lab.hubble.ui import main as page
from lab.operator import hubble_pods
from tests.unit.kube.cluster import STRATEGIC, Cluster, node, with_cluster

Object = dict[str, Any]

OBJECTS = {(obj["kind"], obj["metadata"]["name"]): obj for obj in hubble_pods.objects()}


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


def test_everything_is_in_kube_system_and_takes_no_address_of_the_pool() -> None:
    assert {obj["metadata"]["namespace"] for obj in OBJECTS.values()} == {"kube-system"}
    assert "LoadBalancer" not in {obj["spec"].get("type") for obj in OBJECTS.values()}


def test_they_run_on_the_control_planes_node() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.settle()
        assert await placed(cluster) == {"master"}

    with_cluster(story, node("worker"), master(), addons=hubble_pods.objects())


def test_they_wait_for_all_nodes() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.settle()
        assert await placed(cluster) == set()
        status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        await cluster.call("PATCH", "/api/v1/nodes/late/status", status, media=STRATEGIC)
        await cluster.settle()
        assert await placed(cluster) == {"master"}

    late = node("late")
    late["status"]["conditions"][0]["status"] = "False"
    with_cluster(story, master(), late, addons=hubble_pods.objects())


def test_one_that_was_deleted_stays_so() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.settle()
        page = "/apis/apps/v1/namespaces/kube-system/deployments/hubble-ui"
        assert (await cluster.call("DELETE", page)).code == 200
        label = {"metadata": {"labels": {"any": "change"}}}
        await cluster.call("PATCH", "/api/v1/nodes/master", label, media=STRATEGIC)
        await cluster.settle()
        assert (await cluster.get(page)).code == 404

    with_cluster(story, master(), addons=hubble_pods.objects())


async def placed(cluster: Cluster) -> set[str]:
    """The nodes of all pods; one that waits has the node None."""
    pods = (await cluster.get("/api/v1/pods")).body["items"]
    return {pod["spec"].get("nodeName") for pod in pods}


def master() -> Object:
    made = node("master", taints=[{"key": CONTROL_PLANE, "effect": "NoSchedule"}])
    made["metadata"]["labels"][CONTROL_PLANE] = ""
    return made
