"""Random damage to good objects is answered, and never with a traceback."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from lab.operator import cilium_crds
from tests.unit.kube.cluster import (
    JSON,
    MERGE,
    STRATEGIC,
    Cluster,
    with_cluster,
)
from tests.unit.kube.sound import (
    DEFINITION,
    DEPLOYMENT,
    DEPLOYMENTS,
    POOL,
    POOLS,
    SERVICE,
    SERVICES,
)


def _mutations(value: Any, dice: random.Random) -> Any:
    """The value with one random part replaced by nonsense."""
    nonsense: list[Any] = [
        None,
        True,
        -1,
        2**70,
        1e400,
        "",
        "x" * 300,
        [],
        {},
        [[]],
        [None],
        {"$patch": 1},
    ]
    if isinstance(value, dict) and value and dice.random() < 0.8:
        key = dice.choice(sorted(value))
        return {**value, key: _mutations(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.8:
        place = dice.randrange(len(value))
        return [*value[:place], _mutations(value[place], dice), *value[place + 1 :]]
    return dice.choice(nonsense)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("url", "sound"),
    [
        (DEPLOYMENTS, DEPLOYMENT),
        (SERVICES, {**SERVICE, "metadata": {"name": "other", "labels": {"a": "b"}}}),
        (POOLS, POOL),
        ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION),
        ("/api/v1/nodes", {"metadata": {"name": "n"}, "spec": {"taints": [
            {"key": "a", "effect": "NoSchedule"}]}, "status": {"addresses": []}}),
        ("/api/v1/namespaces/default/endpoints", {"metadata": {"name": "e"}, "subsets": [
            {"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]}),
        ("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
         {"metadata": {"name": "n"}, "spec": {"renewTime": "2024-01-01T00:00:00.000000Z"}}),
    ],
    ids=["deployment", "service", "pool", "definition", "node", "endpoints", "lease"],
)  # fmt: skip
def test_nonsense_is_answered(url: str, sound: dict[str, Any], seed: int) -> None:
    """Random damage to a good object: created, or refused with a 4xx, and still served."""

    async def story(cluster: Cluster) -> None:
        dice = random.Random(seed)
        for media, method in ((JSON, "POST"), (MERGE, "PATCH"), (STRATEGIC, "PATCH")):
            for _ in range(8):
                body = _mutations(sound, dice)
                where = url if method == "POST" else f"{url}/{sound['metadata']['name']}"
                reply = await cluster.call(method, where, _plain(body), media=media)
                assert reply.code < 500, reply.body
                await cluster.post(url, sound)
                await cluster.settle()
                table = "application/json;as=Table;g=meta.k8s.io;v=v1"
                listed = await cluster.get(url, accept=table)
                assert listed.code == 200

    with_cluster(story, *cilium_crds.definitions())


def _plain(body: Any) -> bytes:
    return json.dumps(body).encode()
