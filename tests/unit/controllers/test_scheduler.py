"""Where a pod may run, and where it goes."""

from __future__ import annotations

from typing import Any

import pytest

from lab.controllers.scheduler import choose, explain, refusal, tolerated

TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "covered"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "j", "operator": "Exists"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_tolerations(toleration: dict[str, Any], covered: bool) -> None:
    assert tolerated(TAINT, {"tolerations": [toleration]}) is covered


def _node(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "spec": {}}


def test_where_a_pod_may_run() -> None:
    pod = {"spec": {"nodeSelector": {"disk": "ssd"}}}
    assert refusal(pod, _node("a", disk="ssd"), {}) == ""
    assert "node affinity/selector" in refusal(pod, _node("a"), {})
    assert refusal(pod, _node("a", disk="ssd"), {"a": 110}) == "Too many pods"
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["x"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    picky = {"spec": {"affinity": {"nodeAffinity": required}}}
    assert refusal(picky, _node("a", zone="x"), {}) == ""
    assert refusal(picky, _node("a", zone="y"), {}) != ""


def test_pods_spread_by_owner_then_by_load_then_by_name() -> None:
    nodes = [_node("a"), _node("b"), _node("c")]
    assert choose({"spec": {}}, nodes, {}, {}) == "a"
    assert choose({"spec": {}}, nodes, {"a": 1}, {}) == "b"
    assert choose({"spec": {}}, nodes, {"b": 5, "c": 9}, {"a": 1}) == "b"


def test_why_no_node_fits() -> None:
    assert explain(["x", "y", "x"]) == "0/3 nodes are available: 1 y, 2 x."
    assert explain([]) == "no nodes available to schedule pods"
