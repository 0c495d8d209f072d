"""LB-IPAM in the control plane: what Services and pools say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from lab.operator import cilium_crds
from tests.unit.kube.cluster import MERGE, Cluster, Object, with_cluster
from tests.unit.kube.objects import SERVICES

POOLS = "/apis/cilium.io/v2/ciliumloadbalancerippools"
SATISFIED = "cilium.io/IPAMRequestSatisfied"


def pool(name: str, *cidrs: str, **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"blocks": [{"cidr": c} for c in cidrs], **spec}}


def balanced(name: str, **spec: Any) -> Object:
    ports = [{"port": 80}]
    return {"metadata": {"name": name}, "spec": {"type": "LoadBalancer", "ports": ports, **spec}}


def conditions(reply: Any) -> dict[str, tuple[str, str, str]]:
    """Status, reason and message by type."""
    found = reply.body["status"].get("conditions", ())
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in found}


async def address_of(cluster: Cluster, name: str) -> list[str]:
    await cluster.settle()
    status = (await cluster.get(f"{SERVICES}/{name}")).body["status"]
    return [ingress["ip"] for ingress in status["loadBalancer"].get("ingress", ())]


def in_a_modern_cluster(story: Any) -> None:
    with_cluster(story, *cilium_crds.definitions(), profile="modern")


def test_conditions_of_a_pool_and_its_services() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(POOLS, pool("blue", "10.0.10.0/32"))
        await cluster.post(SERVICES, balanced("first"))
        assert await address_of(cluster, "first") == ["10.0.10.0"]
        await cluster.post(SERVICES, balanced("second"))
        assert await address_of(cluster, "second") == []
        first, second = [await cluster.get(f"{SERVICES}/{n}") for n in ("first", "second")]
        assert conditions(first)[SATISFIED][:2] == ("True", "satisfied")
        assert conditions(second)[SATISFIED][:2] == ("False", "out_of_ips")
        assert conditions(await cluster.get(f"{POOLS}/blue")) == {
            "cilium.io/PoolConflict": ("False", "resolved", ""),
            "cilium.io/IPsTotal": ("Unknown", "noreason", "1"),
            "cilium.io/IPsAvailable": ("Unknown", "noreason", "0"),
            "cilium.io/IPsUsed": ("Unknown", "noreason", "1"),
        }

    in_a_modern_cluster(story)


def test_a_conflict_is_told_and_resolved() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(POOLS, pool("a-pool", "10.0.10.0/24"))
        await cluster.post(POOLS, pool("b-pool", "10.0.10.128/25"))
        await cluster.settle()
        states = {n: conditions(await cluster.get(f"{POOLS}/{n}")) for n in ("a-pool", "b-pool")}
        held = {n: state["cilium.io/PoolConflict"][:2] for n, state in states.items()}
        assert sorted(held.values()) == [("False", "resolved"), ("True", "cidr_overlap")]
        (later,) = [name for name, state in held.items() if state[0] == "True"]
        (older,) = held.keys() - {later}
        await cluster.call("DELETE", f"{POOLS}/{older}")
        await cluster.settle()
        left = conditions(await cluster.get(f"{POOLS}/{later}"))
        assert left["cilium.io/PoolConflict"] == ("False", "resolved", "")

    in_a_modern_cluster(story)


def test_change_service_type() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(POOLS, pool("blue", "10.0.10.0/32"))
        await cluster.post(SERVICES, balanced("web"))
        assert await address_of(cluster, "web") == ["10.0.10.0"]
        change = {"spec": {"type": "ClusterIP"}}
        await cluster.call("PATCH", f"{SERVICES}/web", change, media=MERGE)
        assert await address_of(cluster, "web") == []
        assert conditions(await cluster.get(f"{SERVICES}/web")) == {}
        await cluster.post(SERVICES, balanced("other"))
        assert await address_of(cluster, "other") == ["10.0.10.0"]

    in_a_modern_cluster(story)


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("", True),
        ("io.cilium/bgp-control-plane", True),
        ("io.cilium/l2-announcer", True),
        ("example.com/other", False),
    ],
)
def test_load_balancer_class(name: str, served: bool) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.post(POOLS, pool("blue", "10.0.10.0/24"))
        spec = {"loadBalancerClass": name} if name else {}
        await cluster.post(SERVICES, balanced("web", **spec))
        assert await address_of(cluster, "web") == (["10.0.10.0"] if served else [])
        found = conditions(await cluster.get(f"{SERVICES}/web"))
        assert (SATISFIED in found) is served

    in_a_modern_cluster(story)


def test_realloc_on_init(tmp_path: Any) -> None:
    """A server that starts anew keeps what its Services hold, and gives nobody the same."""

    async def before(cluster: Cluster) -> None:
        await cluster.post(POOLS, pool("blue", "10.0.10.0/24"))
        for name in ("a", "b", "c"):
            await cluster.post(SERVICES, balanced(f"web-{name}"))
        assert await address_of(cluster, "web-c") == ["10.0.10.2"]
        await cluster.call("DELETE", f"{SERVICES}/web-a")
        await cluster.settle()

    async def after(cluster: Cluster) -> None:
        assert await address_of(cluster, "web-b") == ["10.0.10.1"]
        assert await address_of(cluster, "web-c") == ["10.0.10.2"]
        await cluster.post(SERVICES, balanced("web-new"))
        assert await address_of(cluster, "web-new") == ["10.0.10.0"]

    state = tmp_path / "state.db"
    definitions = cilium_crds.definitions()
    with_cluster(before, *definitions, profile="modern", state=state)
    with_cluster(after, *definitions, profile="modern", state=state)
