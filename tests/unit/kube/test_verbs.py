"""Every verb on objects, as clients use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.kube import cilium_crds
from tests.unit.kube.cluster import (
    APPLY,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Cluster,
    node,
    with_cluster,
)

SERVICES = "/api/v1/namespaces/default/services"
MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


def config(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"app": name}}, "data": data}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "nginx"}], **spec},
    }


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


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b", "c"]),
        ("?labelSelector=app=a", ["a"]),
        ("?labelSelector=app!=a", ["b", "c"]),
        ("?labelSelector=app%20in%20(a,c)", ["a", "c"]),
        ("?labelSelector=!app", []),
        ("?fieldSelector=metadata.name=b", ["b"]),
        ("?fieldSelector=metadata.name!=b", ["a", "c"]),
    ],
)
def test_selection(query: str, names: list[str]) -> None:
    async def story(cluster: Cluster) -> None:
        for name in "abc":
            await cluster.post(MAPS, config(name))
        items = (await cluster.get(MAPS + query)).body["items"]
        assert [item["metadata"]["name"] for item in items] == names

    with_cluster(story)


def test_lists_in_chunks() -> None:
    async def story(cluster: Cluster) -> None:
        for name in "abcde":
            await cluster.post(MAPS, config(name))
        seen, token = [], ""
        while True:
            page = (await cluster.get(f"{MAPS}?limit=2&continue={token}")).body
            seen += [item["metadata"]["name"] for item in page["items"]]
            token = page["metadata"].get("continue", "")
            if not token:
                break
            assert page["metadata"]["remainingItemCount"] == 5 - len(seen)
        assert seen == list("abcde")

    with_cluster(story)


def test_watch_resumes_where_the_list_ended() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(MAPS, config("before"))
        revision = (await cluster.get(MAPS)).body["metadata"]["resourceVersion"]
        await cluster.post(MAPS, config("a"))
        await cluster.call("PATCH", f"{MAPS}/a", {"data": {"x": "y"}}, media=MERGE)
        change = {"metadata": {"labels": {"app": "z"}}}
        await cluster.call("PATCH", f"{MAPS}/a", change, media=MERGE)
        await cluster.call("DELETE", f"{MAPS}/a")

        watch = cluster.watch(f"{MAPS}?watch=1&resourceVersion={revision}")
        events = [await watch.__anext__() for _ in range(4)]
        assert [e["type"] for e in events] == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
        revisions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]
        assert revisions == sorted(set(revisions))

        only = cluster.watch(f"{MAPS}?watch=1&labelSelector=app=a&resourceVersion={revision}")
        events = [await only.__anext__() for _ in range(3)]
        assert [e["type"] for e in events] == ["ADDED", "MODIFIED", "DELETED"]

    with_cluster(story)


def test_watch_tells_what_happens_while_it_lasts() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(MAPS, config("a"))
        watch = cluster.watch(f"{MAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true")
        first, mark = await watch.__anext__(), await watch.__anext__()
        assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "a")
        notes = mark["object"]["metadata"]["annotations"]
        assert (mark["type"], notes) == ("BOOKMARK", {"k8s.io/initial-events-end": "true"})
        await cluster.post(MAPS, config("b"))
        event = await watch.__anext__()
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "b")

    with_cluster(story)


def test_strategic_merge_patch_merges_lists_by_their_key() -> None:
    async def story(cluster: Cluster) -> None:
        ports = [{"name": "http", "port": 80}, {"name": "tls", "port": 443}]
        await cluster.post(SERVICES, {"metadata": {"name": "web"}, "spec": {"ports": ports}})
        change = {
            "spec": {
                "$setElementOrder/ports": [{"port": 443}, {"port": 80}],
                "ports": [{"port": 80, "targetPort": 8080}],
            }
        }
        now = (await cluster.call("PATCH", f"{SERVICES}/web", change, media=STRATEGIC)).body
        assert [(p["port"], p["targetPort"]) for p in now["spec"]["ports"]] == [
            (443, 443), (80, 8080),
        ]  # fmt: skip
        gone = {"spec": {"ports": [{"port": 80, "$patch": "delete"}]}}
        now = (await cluster.call("PATCH", f"{SERVICES}/web", gone, media=STRATEGIC)).body
        assert [p["port"] for p in now["spec"]["ports"]] == [443]

    with_cluster(story)


def test_json_patch() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(MAPS, config("a", x="1", y="2"))
        steps = [
            {"op": "test", "path": "/data/x", "value": "1"},
            {"op": "move", "from": "/data/x", "path": "/data/z"},
            {"op": "remove", "path": "/data/y"},
        ]
        now = await cluster.call("PATCH", f"{MAPS}/a", steps, media=JSON_PATCH)
        assert now.body["data"] == {"z": "1"}

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


def deployment(name: str, replicas: int) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "nginx"}]},
            },
        },
    }


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


def test_server_side_apply_owns_and_defends_fields() -> None:
    async def story(cluster: Cluster) -> None:
        url = f"{MAPS}/a?fieldManager="
        mine = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "1", "y": "2"}}
        made = await cluster.call("PATCH", url + "me", mine, media=APPLY)
        assert made.code == 201
        other = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"y": "3"}}
        fight = await cluster.call("PATCH", url + "you", other, media=APPLY)
        assert fight.message == 'Apply failed with 1 conflict: conflict with "me": .data.y'
        taken = await cluster.call("PATCH", url + "you&force=true", other, media=APPLY)
        assert taken.body["data"] == {"x": "1", "y": "3"}
        dropped = {"apiVersion": "v1", "kind": "ConfigMap", "data": {}}
        left = await cluster.call("PATCH", url + "me", dropped, media=APPLY)
        assert left.body["data"] == {"y": "3"}

    with_cluster(story)


def test_tables_name_their_columns_and_carry_metadata() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(PODS, pod("p"))
        table = (await cluster.get(PODS, accept=TABLE)).body
        names = [c["name"] for c in table["columnDefinitions"] if not c["priority"]]
        assert names == ["Name", "Ready", "Status", "Restarts", "Age"]
        row = table["rows"][0]
        assert row["cells"][:4] == ["p", "0/1", "Pending", "0"]
        assert row["object"]["kind"] == "PartialObjectMetadata"

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
