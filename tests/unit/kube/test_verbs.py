"""Every verb that writes, as clients use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.operator import cilium_crds
from tests.unit.kube.cluster import MERGE, Cluster, node, with_cluster
from tests.unit.kube.objects import MAPS, PODS, SERVICES, TABLE, config, deployment, pod


def test_create_fills_in_what_kubernetes_fills_in() -> None:
    async def story(cluster: Cluster) -> None:
        body = {"metadata": {"generateName": "web-"}, "spec": {"ports": [{"port": 80}]}}
        made = (await cluster.post(SERVICES, body)).body
        assert made["metadata"]["name"].startswith("web-")
        assert len(made["metadata"]["name"]) == len("web-") + 5
        assert {"uid", "creationTimestamp", "resourceVersion"} <= made["metadata"].keys()
        assert made["spec"]["type"] == "ClusterIP"
        assert made["spec"]["clusterIPs"] == [made["spec"]["clusterIP"]]
        assert made["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
        assert made["status"] == {"loadBalancer": {}}

    with_cluster(story)


def test_a_service_that_turns_into_a_cluster_ip_gives_back_its_node_port() -> None:
    async def story(cluster: Cluster) -> None:
        body = {"metadata": {"name": "web"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
        made = (await cluster.post(SERVICES, body)).body
        port = made["spec"]["ports"][0]["nodePort"]
        assert 30000 <= port <= 32767
        change = {"spec": {"type": "ClusterIP"}}
        now = (await cluster.call("PATCH", f"{SERVICES}/web", change, media=MERGE)).body
        assert now["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
        assert now["spec"]["clusterIP"] == made["spec"]["clusterIP"]
        wanted = {"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]}
        other = await cluster.post(SERVICES, {"metadata": {"name": "other"}, "spec": wanted})
        assert other.code == 201

    with_cluster(story)


def test_policy_local_gets_a_health_check_port_and_gives_it_back() -> None:
    async def story(cluster: Cluster) -> None:
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "externalTrafficPolicy": "Local"}
        made = (await cluster.post(SERVICES, {"metadata": {"name": "web"}, "spec": spec})).body
        port = made["spec"]["healthCheckNodePort"]
        taken = {"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]}
        other = {"metadata": {"name": "other"}, "spec": taken}
        assert (await cluster.post(SERVICES, other)).code == 422
        change = {"spec": {"externalTrafficPolicy": "Cluster"}}
        now = (await cluster.call("PATCH", f"{SERVICES}/web", change, media=MERGE)).body
        assert "healthCheckNodePort" not in now["spec"]
        assert (await cluster.post(SERVICES, other)).code == 201

    with_cluster(story)


def test_update_conflicts_when_it_is_stale_and_writes_nothing_when_it_changes_nothing() -> None:
    async def story(cluster: Cluster) -> None:
        first = (await cluster.post(MAPS, config("a", x="1"))).body
        same = (await cluster.call("PUT", f"{MAPS}/a", first)).body
        assert same["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        changed = {**first, "data": {"x": "2"}}
        assert (await cluster.call("PUT", f"{MAPS}/a", changed)).code == 200
        stale = await cluster.call("PUT", f"{MAPS}/a", {**first, "data": {"x": "3"}})
        assert (stale.code, stale.reason) == (409, "Conflict")

    with_cluster(story)


def test_status_and_spec_are_written_apart() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(PODS, pod("p"))
        both: Any = {"status": {"phase": "Running"}, "metadata": {"labels": {"new": "yes"}}}
        by_status = await cluster.call("PATCH", f"{PODS}/p/status", both, media=MERGE)
        assert by_status.body["status"]["phase"] == "Running"
        assert by_status.body["metadata"]["labels"] == {"app": "p"}
        both["status"]["phase"] = "Failed"
        by_spec = await cluster.call("PATCH", f"{PODS}/p", both, media=MERGE)
        assert by_spec.body["status"]["phase"] == "Running"
        assert by_spec.body["metadata"]["labels"] == {"app": "p", "new": "yes"}

    with_cluster(story)


def test_dry_run_stores_nothing() -> None:
    async def story(cluster: Cluster) -> None:
        reply = await cluster.post(f"{MAPS}?dryRun=All", config("a"))
        assert reply.code == 201
        assert (await cluster.get(f"{MAPS}/a")).code == 404

    with_cluster(story)


def test_unknown_fields_are_dropped_with_a_warning() -> None:
    async def story(cluster: Cluster) -> None:
        reply = await cluster.post(MAPS, {**config("a"), "dta": {}})
        assert "dta" not in reply.body
        assert reply.headers["warning"] == '299 - "unknown field \\"dta\\""'

    with_cluster(story)


def test_scale() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post("/apis/apps/v1/namespaces/default/deployments", deployment("web", 1))
        url = "/apis/apps/v1/namespaces/default/deployments/web/scale"
        change = {"spec": {"replicas": 3}}
        scale = (await cluster.call("PATCH", url, change, media=MERGE)).body
        assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 3)
        await cluster.settle()
        assert len((await cluster.get(PODS)).body["items"]) == 3
        assert (await cluster.get(url)).body["status"]["selector"] == "app=web"

    with_cluster(story, node("w1"))


def test_a_running_pod_is_deleted_with_grace() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(PODS, pod("p", nodeName="w1", terminationGracePeriodSeconds=5))
        marked = (await cluster.call("DELETE", f"{PODS}/p")).body
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 5
        assert "deletionTimestamp" in marked["metadata"]
        wrong = {"preconditions": {"uid": "another"}, "gracePeriodSeconds": 0}
        assert (await cluster.call("DELETE", f"{PODS}/p", wrong)).code == 409
        right = {"preconditions": {"uid": marked["metadata"]["uid"]}, "gracePeriodSeconds": 0}
        assert (await cluster.call("DELETE", f"{PODS}/p", right)).code == 200
        assert (await cluster.get(f"{PODS}/p")).code == 404

    with_cluster(story, node("w1"))


def test_finalizers_hold_an_object_until_they_are_gone() -> None:
    async def story(cluster: Cluster) -> None:
        held = config("a")
        held["metadata"]["finalizers"] = ["lab/wait"]
        await cluster.post(MAPS, held)
        marked = (await cluster.call("DELETE", f"{MAPS}/a")).body
        assert "deletionTimestamp" in marked["metadata"]
        release = {"metadata": {"finalizers": None}}
        await cluster.call("PATCH", f"{MAPS}/a", release, media=MERGE)
        assert (await cluster.get(f"{MAPS}/a")).code == 404

    with_cluster(story)


def test_delete_a_collection() -> None:
    async def story(cluster: Cluster) -> None:
        for name in "abc":
            await cluster.post(MAPS, config(name))
        await cluster.call("DELETE", f"{MAPS}?labelSelector=app!=b")
        items = (await cluster.get(MAPS)).body["items"]
        assert [item["metadata"]["name"] for item in items] == ["b"]

    with_cluster(story)


def test_custom_kinds_are_served_in_all_their_versions() -> None:
    async def story(cluster: Cluster) -> None:
        root = "/apis/cilium.io/{}/ciliumloadbalancerippools"
        body = {"metadata": {"name": "blue"}, "spec": {"blocks": [{"cidr": "10.0.0.0/24"}]}}
        made = await cluster.post(root.format("v2alpha1"), body)
        assert made.body["apiVersion"] == "cilium.io/v2alpha1"
        assert made.body["spec"]["disabled"] is False
        read = await cluster.get(root.format("v2") + "/blue")
        assert read.body["apiVersion"] == "cilium.io/v2"
        table = (await cluster.get(root.format("v2"), accept=TABLE)).body
        titles = [c["name"] for c in table["columnDefinitions"]]
        assert titles == ["Name", "Disabled", "Conflicting", "IPs Available", "Age"]

    with_cluster(story, *cilium_crds.definitions())


def test_state_outlives_the_process(tmp_path: Path) -> None:
    async def write(cluster: Cluster) -> None:
        for number in range(50):
            await cluster.post(MAPS, config(f"m{number:02}", n=str(number)))
        await cluster.call("DELETE", f"{MAPS}/m07")

    async def read(cluster: Cluster) -> None:
        listed = (await cluster.get(MAPS)).body
        names = [item["metadata"]["name"] for item in listed["items"]]
        assert names == [f"m{n:02}" for n in range(50) if n != 7]
        gone = await cluster.get(f"{MAPS}?watch=1&resourceVersion=3")
        assert (gone.code, gone.reason) == (410, "Expired")
        assert (await cluster.post(MAPS, config("m00"))).code == 409

    with_cluster(write, state=tmp_path / "state.db")
    with_cluster(read, state=tmp_path / "state.db")


def test_the_one_user_may_do_everything() -> None:
    async def story(cluster: Cluster) -> None:
        url = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        asked = {"spec": {"resourceAttributes": {"verb": "create", "resource": "pods"}}}
        reply = await cluster.post(url, asked)
        assert (reply.code, reply.body["status"]["allowed"]) == (201, True)
        assert (await cluster.get(url)).code == 405

    with_cluster(story)
