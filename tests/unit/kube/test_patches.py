"""JSON patch, merge patch, strategic merge patch, server-side apply."""

from __future__ import annotations

from typing import Any

import pytest

from lab.kube.changes.strategic import strategic
from tests.unit.kube.cluster import APPLY, JSON_PATCH, STRATEGIC, Cluster, with_cluster
from tests.unit.kube.objects import MAPS, SERVICES, config


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


def test_an_item_that_is_applied_no_more_leaves_its_list() -> None:
    async def story(cluster: Cluster) -> None:
        url = f"{SERVICES}/web?fieldManager="
        ports = [{"name": "http", "port": 80}, {"name": "tls", "port": 443}]

        async def apply(manager: str, ports: list[dict[str, Any]]) -> Any:
            body = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": ports}}
            return (await cluster.call("PATCH", url + manager, body, media=APPLY)).body

        await apply("me", ports)
        await apply("you", ports[:1])
        left = await apply("me", ports[1:])
        assert [port["name"] for port in left["spec"]["ports"]] == ["http", "tls"]
        left = await apply("you", [{"name": "dns", "port": 53}])
        assert {port["name"] for port in left["spec"]["ports"]} == {"tls", "dns"}
        again = await apply("you", [{"name": "dns", "port": 53}])
        assert again["metadata"] == left["metadata"]

    with_cluster(story)


@pytest.mark.parametrize(
    ("live", "patch", "order", "merged"),
    [
        ("a b", "c", "", "c a b"),
        ("a b", "b c", "", "a b c"),
        ("a b c", "b", "", "a b c"),
        ("a b c", "c", "c a b", "c a b"),
        ("a b c", "", "c b", "a c b"),
        ("", "b a", "", "b a"),
        ("a b", "d", "a d b", "a d b"),
    ],
)
def test_the_order_of_a_merged_list(live: str, patch: str, order: str, merged: str) -> None:
    def named(names: str) -> list[dict[str, str]]:
        return [{"name": name} for name in names.split()]

    change = {"containers": named(patch)} if patch else {}
    if order:
        change["$setElementOrder/containers"] = named(order)
    spec = strategic({"containers": named(live)}, change, {"$ref": "#/definitions/PodSpec"})
    assert [each["name"] for each in spec["containers"]] == merged.split()
