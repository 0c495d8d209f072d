"""ipFamilyPolicy, ipFamilies and clusterIPs of Services: completed, followed, refused."""

from __future__ import annotations

from ipaddress import IPv6Network, ip_address
from typing import Any

import pytest

from tests.unit.kube.cluster import MERGE, STRATEGIC, Cluster, node, pools, with_cluster
from tests.unit.kube.objects import PODS, SERVICES, deployment

SERVICE_CIDR6 = IPv6Network("fd00:96::/112")
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
DUAL: dict[str, Any] = {"service_cidr6": SERVICE_CIDR6}


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    ports = [{"port": 80, "targetPort": 80}]
    return {"metadata": {"name": name}, "spec": {"ports": ports, "selector": {"app": name}, **spec}}


def shape(spec: dict[str, Any]) -> tuple[str, list[str]]:
    """The policy, and the families of the addresses."""
    families = [f"IPv{ip_address(each).version}" for each in spec["clusterIPs"] if each != "None"]
    assert families in ([], spec["ipFamilies"])
    return spec["ipFamilyPolicy"], spec["ipFamilies"]


@pytest.mark.parametrize(
    ("asked", "policy", "families"),
    [
        ({}, "SingleStack", ["IPv4"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, "PreferDualStack", ["IPv4", "IPv6"]),
        ({"ipFamilyPolicy": "RequireDualStack"}, "RequireDualStack", ["IPv4", "IPv6"]),
        ({"ipFamilies": ["IPv6"]}, "SingleStack", ["IPv6"]),
        (
            {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6"]},
            "PreferDualStack",
            ["IPv6", "IPv4"],
        ),
        ({"clusterIP": "fd00:96::7"}, "SingleStack", ["IPv6"]),
        (
            {"ipFamilyPolicy": "RequireDualStack", "clusterIPs": ["fd00:96::7"]},
            "RequireDualStack",
            ["IPv6", "IPv4"],
        ),
        ({"clusterIP": "None"}, "SingleStack", ["IPv4"]),
        ({"clusterIP": "None", "selector": {}}, "RequireDualStack", ["IPv4", "IPv6"]),
    ],
)
def test_what_is_not_said_is_completed(
    asked: dict[str, Any], policy: str, families: list[str]
) -> None:
    async def story(cluster: Cluster) -> None:
        made = await cluster.post(SERVICES, service(**asked))
        assert made.code == 201, made.body
        spec = made.body["spec"]
        assert shape(spec) == (policy, families)
        assert spec["clusterIP"] == spec["clusterIPs"][0]

    with_cluster(story, **DUAL)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"ipFamilies": ["IPv4", "IPv6"]},
            "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or "
            "'PreferDualStack' when multiple IP families are specified",
        ),
        (
            {"clusterIPs": ["10.96.0.7", "fd00:96::7"]},
            "when multiple cluster IPs are specified",
        ),
        ({"ipFamilyPolicy": "Both"}, 'spec.ipFamilyPolicy: Unsupported value: "Both"'),
        ({"ipFamilies": ["IPv5"]}, 'spec.ipFamilies[0]: Unsupported value: "IPv5"'),
        ({"ipFamilies": ["IPv4", "IPv4"]}, 'spec.ipFamilies[1]: Duplicate value: "IPv4"'),
        (
            {"ipFamilies": ["IPv6"], "clusterIP": "10.96.0.7"},
            "spec.clusterIPs[0]: Invalid value: \"10.96.0.7\": expected an IPv6 value as indicated "
            "by `ipFamilies[0]`",
        ),
        (
            {"ipFamilyPolicy": "RequireDualStack", "clusterIPs": ["10.96.0.7", "10.96.0.8"]},
            "may specify no more than one IP for each IP family",
        ),
        (
            {"ipFamilyPolicy": "RequireDualStack", "clusterIPs": ["None", "fd00:96::7"]},
            "'None' must be the first and only value",
        ),
        ({"clusterIP": "fd00:97::7"}, "The range of valid IPs is fd00:96::/112"),
        ({"clusterIP": "seven"}, "must be a valid IP address"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(asked: dict[str, Any], words: str) -> None:
    async def story(cluster: Cluster) -> None:
        refused = await cluster.post(SERVICES, service(**asked))
        assert refused.code == 422
        assert words in refused.message

    with_cluster(story, **DUAL)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            "this cluster is not configured for dual-stack services",
        ),
        ({"ipFamilies": ["IPv6"]}, "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured"),
    ],
)  # fmt: skip
def test_a_cluster_of_one_family(asked: dict[str, Any], words: str) -> None:
    async def story(cluster: Cluster) -> None:
        refused = await cluster.post(SERVICES, service(**asked))
        assert (refused.code, words in refused.message) == (422, True)
        content = await cluster.post(SERVICES, service(ipFamilyPolicy="PreferDualStack"))
        assert shape(content.body["spec"]) == ("PreferDualStack", ["IPv4"])

    with_cluster(story)


def test_a_service_gains_and_loses_a_family() -> None:
    async def story(cluster: Cluster) -> None:
        before = (await cluster.post(SERVICES, service())).body["spec"]
        more = {"spec": {"ipFamilyPolicy": "PreferDualStack"}}
        both = (await cluster.call("PATCH", f"{SERVICES}/web", more, media=MERGE)).body["spec"]
        assert both["clusterIPs"][0] == before["clusterIP"]
        assert ip_address(both["clusterIPs"][1]) in SERVICE_CIDR6

        fewer = {"spec": {"ipFamilies": ["IPv4"]}}
        refused = await cluster.call("PATCH", f"{SERVICES}/web", fewer, media=MERGE)
        assert "must be 'SingleStack' to release the secondary IP family" in refused.message
        swapped = {"spec": {"clusterIPs": both["clusterIPs"][::-1]}}
        refused = await cluster.call("PATCH", f"{SERVICES}/web", swapped, media=MERGE)
        assert refused.code == 422

        less = {"spec": {"ipFamilyPolicy": "SingleStack"}}
        after = (await cluster.call("PATCH", f"{SERVICES}/web", less, media=STRATEGIC)).body["spec"]
        assert (after["clusterIPs"], after["ipFamilies"]) == ([before["clusterIP"]], ["IPv4"])
        taken = await cluster.post(SERVICES, service("next", clusterIP=both["clusterIPs"][1]))
        assert taken.code == 201, "the address that was given up is free"

    with_cluster(story, **DUAL)


def test_no_two_services_share_a_second_address() -> None:
    async def story(cluster: Cluster) -> None:
        both = ["10.96.0.7", "fd00:96::7"]
        first = service(ipFamilyPolicy="RequireDualStack", clusterIPs=both)
        assert (await cluster.post(SERVICES, first)).code == 201
        refused = await cluster.post(SERVICES, service("other", clusterIP="fd00:96::7"))
        assert "provided IP is already allocated" in refused.message

    with_cluster(story, **DUAL)


def test_slices_and_addresses_of_each_family() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(DEPLOYMENTS, deployment("web", 2))
        await cluster.post(
            SERVICES, service(type="LoadBalancer", ipFamilyPolicy="RequireDualStack")
        )
        await cluster.run_pods()
        for pod in (await cluster.get(PODS)).body["items"]:
            number = pod["status"]["podIP"].rpartition(".")[2]
            both = [{"ip": pod["status"]["podIP"]}, {"ip": f"fd00:10:0:1::{number}"}]
            url = f"{PODS}/{pod['metadata']['name']}/status"
            await cluster.call("PATCH", url, {"status": {"podIPs": both}}, media=STRATEGIC)
        await cluster.settle()

        slices = (await cluster.get(SLICES)).body["items"]
        found = {
            piece["addressType"]: {a for e in piece["endpoints"] for a in e["addresses"]}
            for piece in slices
        }
        assert found["IPv6"] == {"fd00:10:0:1::2", "fd00:10:0:1::3"}
        assert found["IPv4"] == {"10.0.1.2", "10.0.1.3"}
        older = (await cluster.get("/api/v1/namespaces/default/endpoints/web")).body["subsets"]
        assert {a["ip"] for a in older[0]["addresses"]} == found["IPv4"]
        given = (await cluster.get(f"{SERVICES}/web")).body["status"]["loadBalancer"]["ingress"]
        assert [each["ip"] for each in given] == ["172.16.10.0", "2001:db8:172::"]

        less = {"spec": {"ipFamilyPolicy": "SingleStack"}}
        await cluster.call("PATCH", f"{SERVICES}/web", less, media=MERGE)
        await cluster.settle()
        kinds = [piece["addressType"] for piece in (await cluster.get(SLICES)).body["items"]]
        assert kinds == ["IPv4"]
        given = (await cluster.get(f"{SERVICES}/web")).body["status"]["loadBalancer"]["ingress"]
        assert [each["ip"] for each in given] == ["172.16.10.0"]

    both = pools("172.16.10.0/24', '2001:db8:172::/112")
    with_cluster(story, node("w1"), both, **DUAL)
