"""What the controllers make of objects, with agents that obey at once."""

from __future__ import annotations

from typing import Any

from lab.operator import cilium_crds
from tests.unit.kube.cluster import MERGE, STRATEGIC, Cluster, node, pools, with_cluster
from tests.unit.kube.objects import PODS, SERVICES, deployment

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SETS = "/apis/apps/v1/namespaces/default/replicasets"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
NODES = (node("w1"), node("w2"), node("w3"))


def service(name: str, **spec: Any) -> dict[str, Any]:
    ports = [{"port": 80, "targetPort": 80}]
    return {"metadata": {"name": name}, "spec": {"ports": ports, "selector": {"app": name}, **spec}}


async def names(cluster: Cluster, url: str) -> list[str]:
    return [item["metadata"]["name"] for item in (await cluster.get(url)).body["items"]]


async def events(cluster: Cluster) -> set[str]:
    items = (await cluster.get("/api/v1/events")).body["items"]
    return {item["reason"] for item in items}


def test_a_deployment_becomes_pods_spread_over_the_nodes() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(DEPLOYMENTS, deployment("web", 3))
        await cluster.run_pods()
        pods = (await cluster.get(PODS)).body["items"]
        assert sorted(pod["spec"]["nodeName"] for pod in pods) == ["w1", "w2", "w3"]
        (replica_set,) = await names(cluster, SETS)
        assert all(pod["metadata"]["name"].startswith(f"{replica_set}-") for pod in pods)
        status = (await cluster.get(f"{DEPLOYMENTS}/web")).body["status"]
        assert (status["readyReplicas"], status["updatedReplicas"]) == (3, 3)
        reasons = {c["type"]: c["reason"] for c in status["conditions"]}
        assert reasons == {
            "Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable",
        }  # fmt: skip

    with_cluster(story, *NODES)


def test_a_rolling_update_never_has_too_few_or_too_many() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(DEPLOYMENTS, deployment("web", 4))
        await cluster.run_pods()
        image = {
            "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:2"}]}}}
        }
        await cluster.call("PATCH", f"{DEPLOYMENTS}/web", image, media=STRATEGIC)
        for _ in range(8):
            pods = [p for p in (await cluster.get(PODS)).body["items"] if _alive(p)]
            ready = [p for p in pods if p["status"]["phase"] == "Running"]
            assert len(pods) <= 5
            assert len(ready) >= 3
            await cluster.run_pods()
        images = {
            p["spec"]["containers"][0]["image"] for p in (await cluster.get(PODS)).body["items"]
        }
        assert images == {"nginx:2"}
        revisions = [
            s["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
            for s in (await cluster.get(SETS)).body["items"]
        ]
        assert sorted(revisions) == ["1", "2"]

    with_cluster(story, *NODES)


def _alive(pod: dict[str, Any]) -> bool:
    return "deletionTimestamp" not in pod["metadata"]


def test_deleting_a_deployment_takes_everything_along() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(DEPLOYMENTS, deployment("web", 2))
        await cluster.run_pods()
        await cluster.call("DELETE", f"{DEPLOYMENTS}/web")
        await cluster.run_pods()
        assert await names(cluster, SETS) == []
        assert await names(cluster, PODS) == []

    with_cluster(story, *NODES)


def test_orphaned_pods_stay_and_a_new_owner_adopts_them() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(DEPLOYMENTS, deployment("web", 2))
        await cluster.run_pods()
        before = await names(cluster, PODS)
        for url in (f"{DEPLOYMENTS}/web", f"{SETS}/{(await names(cluster, SETS))[0]}"):
            await cluster.call("DELETE", url, {"propagationPolicy": "Orphan"})
        await cluster.settle()
        assert await names(cluster, PODS) == before
        await cluster.post(DEPLOYMENTS, deployment("web", 2))
        await cluster.settle()
        assert await names(cluster, PODS) == before

    with_cluster(story, *NODES)


def test_endpoints_follow_readiness_and_termination() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(SERVICES, service("web"))
        await cluster.post(DEPLOYMENTS, deployment("web", 1))
        await cluster.settle()
        (before,) = (await cluster.get(SLICES)).body["items"]
        assert before["endpoints"] == []
        await cluster.run_pods()
        (found,) = (await cluster.get(SLICES)).body["items"]
        assert found["endpoints"][0]["addresses"] == ["10.0.1.2"]
        assert found["endpoints"][0]["conditions"] == {
            "ready": True, "serving": True, "terminating": False,
        }  # fmt: skip
        (pod,) = await names(cluster, PODS)
        await cluster.call("DELETE", f"{PODS}/{pod}")
        await cluster.settle()
        (ending,) = (await cluster.get(SLICES)).body["items"]
        assert ending["endpoints"][0]["conditions"] == {
            "ready": False, "serving": True, "terminating": True,
        }  # fmt: skip
        older = (await cluster.get("/api/v1/namespaces/default/endpoints/web")).body
        assert "subsets" not in older

    with_cluster(story, *NODES)


def test_endpoints_written_by_hand_are_mirrored() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(SERVICES, service("db", selector={}))
        subset = {"addresses": [{"ip": "192.0.2.7"}], "ports": [{"port": 5432}]}
        body = {"metadata": {"name": "db"}, "subsets": [subset]}
        await cluster.post("/api/v1/namespaces/default/endpoints", body)
        await cluster.settle()
        (mirrored,) = (await cluster.get(SLICES)).body["items"]
        assert mirrored["endpoints"][0]["addresses"] == ["192.0.2.7"]
        await cluster.call("DELETE", f"{SERVICES}/db")
        await cluster.settle()
        assert await names(cluster, SLICES) == []

    with_cluster(story)


def test_load_balancer_addresses_of_the_articles_pool() -> None:
    async def story(cluster: Cluster) -> None:
        for name in ("a", "b"):
            await cluster.post(SERVICES, service(name, type="LoadBalancer"))
        await cluster.settle()
        assert await _vip(cluster, "a") == "172.16.10.0"
        assert await _vip(cluster, "b") == "172.16.10.1"
        await cluster.call("DELETE", f"{SERVICES}/a")
        await cluster.post(SERVICES, service("c", type="LoadBalancer"))
        await cluster.settle()
        assert await _vip(cluster, "c") == "172.16.10.0"
        change = {"spec": {"type": "ClusterIP"}}
        await cluster.call("PATCH", f"{SERVICES}/b", change, media=MERGE)
        await cluster.settle()
        assert await _vip(cluster, "b") == ""

    with_cluster(story, pools("172.16.10.0/24"))


async def _vip(cluster: Cluster, name: str) -> str:
    balancer = (await cluster.get(f"{SERVICES}/{name}")).body["status"]["loadBalancer"]
    return str(balancer.get("ingress", [{"ip": ""}])[0]["ip"])


def test_a_full_pool_serves_who_waits_when_an_address_comes_free() -> None:
    async def story(cluster: Cluster) -> None:
        for name in ("a", "b"):
            await cluster.post(SERVICES, service(name, type="LoadBalancer"))
        await cluster.settle()
        assert await _vip(cluster, "b") == ""
        assert "AllocationFailed" in await events(cluster)
        await cluster.call("DELETE", f"{SERVICES}/a")
        await cluster.settle()
        assert await _vip(cluster, "b") == "172.16.10.8"

    with_cluster(story, pools("172.16.10.8/32"))


def test_pools_of_the_modern_profile_tell_their_counts() -> None:
    async def story(cluster: Cluster) -> None:
        root = "/apis/cilium.io/v2/ciliumloadbalancerippools"
        blocks = {"blocks": [{"cidr": "10.0.10.0/30"}]}
        await cluster.post(root, {"metadata": {"name": "blue"}, "spec": blocks})
        await cluster.post(SERVICES, service("web", type="LoadBalancer"))
        await cluster.settle()
        conditions = (await cluster.get(f"{root}/blue")).body["status"]["conditions"]
        assert {c["type"]: c["message"] for c in conditions} == {
            "cilium.io/PoolConflict": "",
            "cilium.io/IPsTotal": "4",
            "cilium.io/IPsAvailable": "3",
            "cilium.io/IPsUsed": "1",
        }
        await cluster.call("DELETE", f"{root}/blue")
        await cluster.settle()
        status = (await cluster.get(f"{SERVICES}/web")).body["status"]
        assert status["loadBalancer"] == {}
        assert [(c["status"], c["reason"]) for c in status["conditions"]] == [("False", "no_pool")]

    with_cluster(story, *cilium_crds.definitions(), profile="modern")


def test_cordoned_and_tainted_nodes_get_no_pods() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(DEPLOYMENTS, deployment("web", 1))
        await cluster.settle()
        (pod,) = (await cluster.get(PODS)).body["items"]
        assert "nodeName" not in pod["spec"]
        condition = pod["status"]["conditions"][0]
        assert condition["message"] == (
            "0/2 nodes are available: 1 node(s) had untolerated taint {gpu: yes}, "
            "1 node(s) were unschedulable."
        )
        ready = {"spec": {"unschedulable": False}}
        await cluster.call("PATCH", "/api/v1/nodes/w1", ready, media=MERGE)
        await cluster.settle()
        (pod,) = (await cluster.get(PODS)).body["items"]
        assert pod["spec"]["nodeName"] == "w1"

    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    with_cluster(story, node("w1", unschedulable=True), node("w2", taints=[taint]))


def test_a_no_execute_taint_drives_pods_out() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(DEPLOYMENTS, deployment("web", 1))
        await cluster.run_pods()
        taint = {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}}
        await cluster.call("PATCH", "/api/v1/nodes/w1", taint, media=MERGE)
        await cluster.run_pods()
        await cluster.run_pods()
        pods = (await cluster.get(PODS)).body["items"]
        assert [pod["spec"].get("nodeName") for pod in pods] == ["w2"]

    with_cluster(story, node("w1"), node("w2"))


def test_a_node_without_lease_is_lost_and_found_again() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(SERVICES, service("web"))
        await cluster.post(DEPLOYMENTS, deployment("web", 1))
        await cluster.run_pods()
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        first = {"metadata": {"name": "w1"}, "spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}}
        await cluster.post(leases, first)
        await cluster.settle()
        assert await _endpoint_ready(cluster)
        lost = await cluster.until("/api/v1/nodes/w1", lambda node: node["spec"].get("taints"))
        assert ("node.kubernetes.io/unreachable", "NoSchedule") in [
            (t["key"], t["effect"]) for t in lost["spec"]["taints"]
        ]
        await cluster.settle()
        assert not await _endpoint_ready(cluster)
        again = {"spec": {"renewTime": "2020-01-01T00:00:01.000000Z"}}
        await cluster.call("PATCH", f"{leases}/w1", again, media=MERGE)
        await cluster.settle()
        found = (await cluster.get("/api/v1/nodes/w1")).body
        assert "taints" not in found["spec"]
        assert found["status"]["conditions"][0]["status"] == "True"

    with_cluster(story, node("w1"), lease_grace=0.5)


async def _endpoint_ready(cluster: Cluster) -> bool:
    (found,) = (await cluster.get(SLICES)).body["items"]
    return bool(found["endpoints"][0]["conditions"]["ready"])


def test_a_namespace_goes_with_its_contents() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
        url = "/api/v1/namespaces/shop/configmaps"
        held = {"metadata": {"name": "held", "finalizers": ["lab/wait"]}}
        await cluster.post(url, held)
        await cluster.post(url, {"metadata": {"name": "free"}})
        await cluster.call("DELETE", "/api/v1/namespaces/shop")
        await cluster.settle()
        assert await names(cluster, url) == ["held"]
        late = await cluster.post(url, {"metadata": {"name": "late"}})
        assert (late.code, late.reason) == (403, "Forbidden")
        release = {"metadata": {"finalizers": None}}
        await cluster.call("PATCH", f"{url}/held", release, media=MERGE)
        await cluster.settle()
        assert (await cluster.get("/api/v1/namespaces/shop")).code == 404

    with_cluster(story)


def test_custom_objects_go_with_their_definition() -> None:
    async def story(cluster: Cluster) -> None:
        crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        pools_url = "/apis/cilium.io/v2/ciliumloadbalancerippools"
        body = {"metadata": {"name": "blue"}, "spec": {"blocks": [{"cidr": "10.0.0.0/24"}]}}
        assert (await cluster.post(pools_url, body)).code == 201
        await cluster.call("DELETE", f"{crds}/ciliumloadbalancerippools.cilium.io")
        await cluster.settle()
        assert (await cluster.get(pools_url)).code == 404

    with_cluster(story, *cilium_crds.definitions())
