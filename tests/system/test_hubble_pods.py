"""Hubble from the management node: its relay and its page are pods of the cluster."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from lab import shell
from lab.sandbox.handle import Lab
from lab.wait import until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
]

NODES = {"k8s-master1", "k8s-worker1"}
WITHIN = 60.0
"""Seconds; a bound for loaded machines."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    name = f"hubble-{os.getpid()}"
    up = [sys.executable, "-m", "lab.cli", "up", "basic", "--name", name, "-O", "workers=1"]
    shell.run(up, timeout=90)
    running = Lab.find(name)
    # Asked at once: the pod of the relay may be starting still.
    try:
        running.control_node().run(["hubble", "status"], timeout=WITHIN)
        yield running
    finally:
        running.end()


def pods(lab: Lab, *more: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = lab.kubectl("get", "pods", "-o", "json", *more).json()["items"]
    return listed


def relay_pod(lab: Lab) -> str:
    (pod,) = pods(lab, "-n", "kube-system", "-l", "k8s-app=hubble-relay")
    return str(pod["metadata"]["name"])


def connected(lab: Lab) -> set[str]:
    """Nodes that the relay is connected to."""
    listed = lab.control_node().run(["hubble", "list", "nodes", "-o", "json"], timeout=WITHIN)
    nodes = json.loads(listed.out)
    return {node["name"] for node in nodes if node["state"] == "NODE_CONNECTED"}


def test_the_relay_knows_all_nodes(lab: Lab) -> None:
    until(lambda: connected(lab), NODES.__eq__, within=WITHIN, what="connected nodes", wanted=NODES)


def test_their_pods_are_in_kube_system_only(lab: Lab) -> None:
    there = {pod["metadata"]["labels"]["k8s-app"] for pod in pods(lab, "-n", "kube-system")}
    assert there == {"hubble-relay", "hubble-ui"}
    assert pods(lab) == []


def test_the_relay_may_be_replaced(lab: Lab) -> None:
    before = relay_pod(lab)
    lab.kubectl("-n", "kube-system", "delete", "pod", before)
    after = until(
        lambda: relay_pod(lab), lambda name: name != before, within=WITHIN, what="another pod"
    )
    # Whoever asks now is kept waiting until the new pod listens.
    asked = lab.control_node().run(["hubble", "observe", "--last", "1"], timeout=WITHIN)
    assert asked.ok
    assert after == relay_pod(lab)


def test_the_pages_deployment_can_be_exposed(lab: Lab) -> None:
    lab.kubectl(
        *("-n", "kube-system", "expose", "deployment", "hubble-ui", "--type=LoadBalancer"),
        *("--port=80", "--target-port=8081", "--name", "hubble-ui-lb"),
    )
    curl = ["curl", "-s", "-m", "1", "-w", "%{http_code}", "-o", "/dev/null", "http://172.16.10.0/"]
    until(
        lambda: lab.node("client1").probe(curl).out,
        "200".__eq__,
        within=WITHIN,
        what="the page at the pool's first address",
    )
