"""What the status of Cilium's BGP resources tells of mistakes between several objects."""

from __future__ import annotations

from typing import Any

from lab.operator import cilium_crds
from tests.unit.kube.cluster import MERGE, Cluster, node, with_cluster

Object = dict[str, Any]

ROOT = "/apis/cilium.io/v2"
CLUSTERS, PEERS = f"{ROOT}/ciliumbgpclusterconfigs", f"{ROOT}/ciliumbgppeerconfigs"
SECRETS = "/api/v1/namespaces/kube-system/secrets"


def config(name: str, *, selector: Object | None = None, peer: str = "router") -> Object:
    peers = [{"name": "r", "peerConfigRef": {"name": peer}}]
    spec: Object = {"bgpInstances": [{"name": "main", "localASN": 64512, "peers": peers}]}
    chosen = {"nodeSelector": {"matchLabels": selector}} if selector else {}
    return {"metadata": {"name": name}, "spec": {**spec, **chosen}}


async def told(cluster: Cluster, url: str) -> dict[str, str]:
    """The messages of the conditions that are true, by type."""
    await cluster.settle()
    conditions = (await cluster.get(url)).body["status"]["conditions"]
    return {
        each["type"].removeprefix("cilium.io/"): each["message"]
        for each in conditions
        if each["status"] == "True"
    }


def test_a_peer_configuration_that_is_missing_and_comes() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(CLUSTERS, config("all"))
        text = "Referenced CiliumBGPPeerConfig(s) are missing: [router]"
        assert await told(cluster, f"{CLUSTERS}/all") == {"MissingPeerConfigs": text}
        await cluster.post(PEERS, {"metadata": {"name": "router"}, "spec": {}})
        assert await told(cluster, f"{CLUSTERS}/all") == {}

    with_cluster(story, *cilium_crds.definitions(), node("a"), profile="modern")


def test_nodes_that_are_selected_by_nobody_or_twice() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(PEERS, {"metadata": {"name": "router"}, "spec": {}})
        await cluster.post(CLUSTERS, config("a-first"))
        await cluster.post(CLUSTERS, config("b-second", selector={"kubernetes.io/hostname": "a"}))
        await cluster.post(CLUSTERS, config("c-third", selector={"rack": "z"}))
        assert await told(cluster, f"{CLUSTERS}/a-first") == {}
        assert await told(cluster, f"{CLUSTERS}/b-second") == {
            "ConflictingClusterConfigs": "Selecting the same node(s) with ClusterConfig(s): "
            "[a-first]"
        }
        assert await told(cluster, f"{CLUSTERS}/c-third") == {
            "NoMatchingNode": "No node matches spec.nodeSelector"
        }
        patch = {"metadata": {"labels": {"rack": "z"}}}
        await cluster.call("PATCH", "/api/v1/nodes/a", patch, media=MERGE)
        assert "NoMatchingNode" not in await told(cluster, f"{CLUSTERS}/c-third")

    with_cluster(story, *cilium_crds.definitions(), node("a"), profile="modern")


def test_a_password_that_is_missing_and_comes() -> None:
    async def story(cluster: Cluster) -> None:
        spec = {"authSecretRef": "md5"}
        await cluster.post(PEERS, {"metadata": {"name": "router"}, "spec": spec})
        text = 'Referenced Auth Secret "md5" is missing'
        assert await told(cluster, f"{PEERS}/router") == {"MissingAuthSecret": text}
        await cluster.post(SECRETS, {"metadata": {"name": "md5"}, "data": {"password": "cw=="}})
        assert await told(cluster, f"{PEERS}/router") == {}

    with_cluster(story, *cilium_crds.definitions(), profile="modern")
