"""The real kubectl against the API server, in a network namespace of their own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import shell
from lab.errors import CommandError
from lab.wait import until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace"),
]

START = 30.0
ROLLOUT = "--timeout=30s"

WEB = """
apiVersion: v1
kind: Service
metadata: {name: web1-lb}
spec:
  type: LoadBalancer
  ports: [{name: http, port: 80, targetPort: 80, protocol: TCP}]
  selector: {svc: web1-lb}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web1}
spec:
  replicas: 2
  selector: {matchLabels: {svc: web1-lb}}
  template:
    metadata: {labels: {svc: web1-lb}}
    spec:
      containers:
      - name: web1
        image: nginx
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {path: /, port: 80}}
"""


@dataclass(frozen=True)
class Kubectl:
    """kubectl in the server's network namespace."""

    pid: int
    directory: Path

    def probe(self, *words: str, input: str | None = None) -> shell.Result:
        env = {**os.environ, "KUBECONFIG": str(self.directory / "kubeconfig"),
               "HOME": str(self.directory)}  # fmt: skip
        inside = ["nsenter", "-t", str(self.pid), "-n", "kubectl", *words]
        return shell.probe(inside, input=input, env=env, timeout=60)

    def __call__(self, *words: str, input: str | None = None) -> str:
        result = self.probe(*words, input=input)
        if not result.ok:
            raise CommandError(result.argv, result.code, result.err)
        return result.out


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    directory = tmp_path_factory.mktemp("api")
    served = [sys.executable, "-m", "tests.system.kube.served", str(directory)]
    with shell.spawn(["unshare", "-n", *served, "server"]) as server:
        client = Kubectl(server.pid, directory)
        until(
            lambda: (directory / "kubeconfig").exists() and client.probe("get", "nodes").ok,
            bool,
            within=START,
            what="the API server",
        )
        with shell.spawn(["nsenter", "-t", str(server.pid), "-n", *served, "agents"]):
            client("wait", "--for=condition=Ready", "nodes", "--all", ROLLOUT)
            yield client


@pytest.fixture
def web(kubectl: Kubectl) -> Iterator[Kubectl]:
    """The article's Service and Deployment, up."""
    kubectl("apply", "-f", "-", input=WEB)
    kubectl("rollout", "status", "deployment/web1", ROLLOUT)
    yield kubectl
    kubectl("delete", "-f", "-", "--wait=true", input=WEB)


def test_the_service_gets_the_first_address_of_the_pool(web: Kubectl) -> None:
    header, row = web("get", "service", "web1-lb").splitlines()
    assert header.split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert re.match(r"web1-lb +LoadBalancer +10\.\S+ +172\.16\.10\.0 +80:3\d{4}/TCP +\d+s", row)


def test_the_api_servers_own_service(kubectl: Kubectl) -> None:
    row = kubectl("get", "service", "kubernetes", "--no-headers")
    assert row.split()[:5] == ["kubernetes", "ClusterIP", "10.96.0.1", "<none>", "443/TCP"]


def test_applying_again_changes_nothing_and_removes_what_is_left_out(web: Kubectl) -> None:
    again = web("apply", "-f", "-", input=WEB)
    assert again == "service/web1-lb unchanged\ndeployment.apps/web1 unchanged\n"
    web("apply", "-f", "-", input=WEB.replace("name: http, ", ""))
    assert web("get", "service", "web1-lb", "-o", "jsonpath={.spec.ports[*].name}") == ""


def test_a_misspelt_field_is_told_with_its_path(kubectl: Kubectl) -> None:
    refused = kubectl.probe("apply", "-f", "-", input=WEB.replace("targetPort", "tragetPort"))
    assert refused.code == 1
    assert 'unknown field "spec.ports[0].tragetPort"' in refused.err
    kubectl("delete", "deployment", "web1", "--ignore-not-found")


def test_a_new_image_rolls_out_and_back(web: Kubectl) -> None:
    web("set", "image", "deployment/web1", "web1=nginx:2")
    web("rollout", "status", "deployment/web1", ROLLOUT)
    image = "jsonpath={.items[*].spec.containers[*].image}"
    running = ("get", "pods", "-l", "svc=web1-lb", "--field-selector=status.phase=Running")
    assert set(web(*running, "-o", image).split()) == {"nginx:2"}
    web("rollout", "undo", "deployment/web1")
    web("rollout", "status", "deployment/web1", ROLLOUT)
    history = web("rollout", "history", "deployment/web1").split("\n")
    assert [line.split()[0] for line in history[2:4]] == ["2", "3"]


def test_draining_moves_the_pods(web: Kubectl) -> None:
    web("drain", "k8s-worker1", "--ignore-daemonsets", ROLLOUT)
    try:
        web("rollout", "status", "deployment/web1", ROLLOUT)
        rows = web("get", "pods", "-l", "svc=web1-lb", "-o", "jsonpath={.items[*].spec.nodeName}")
        assert set(rows.split()) == {"k8s-worker2"}
        node = web("get", "node", "k8s-worker1", "--no-headers").split()
        assert node[1] == "Ready,SchedulingDisabled"
    finally:
        web("uncordon", "k8s-worker1")


def test_logs_and_exec_reach_the_pods_node(web: Kubectl) -> None:
    pod = web("get", "pods", "-l", "svc=web1-lb", "-o", "jsonpath={.items[0].metadata.name}")
    log = web("logs", pod, "--tail=3")
    assert log == f"log of /containerLogs/default/{pod}/web1?container=web1&tailLines=3\n"
    ran = web.probe("exec", "-i", pod, "--", "cat", "-n", input="hello\n")
    assert ran.code == 3
    assert ran.out.startswith("HELLO\n")
    assert "command=cat&command=-n" in ran.out


def test_describe_tells_events_and_endpoints(web: Kubectl) -> None:
    told = web("describe", "deployment", "web1")
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in told
    assert "Scaled up replica set web1-" in told
    addresses = web("get", "endpointslices", "-l", "kubernetes.io/service-name=web1-lb",
                    "-o", "jsonpath={.items[*].endpoints[*].addresses[0]}")  # fmt: skip
    assert len(addresses.split()) == 2


def test_custom_kinds_are_explained_and_printed(kubectl: Kubectl) -> None:
    pool = "apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: blue}\n%s\n"
    kubectl("apply", "-f", "-", input=pool % "spec: {blocks: [{cidr: 10.0.10.0/24}]}")
    assert kubectl("get", "ippools", "--no-headers").split()[:2] == ["blue", "false"]
    wrong = kubectl.probe("apply", "-f", "-", input=pool % "spec: {allowFirstLastIPs: Perhaps}")
    assert 'Unsupported value: "Perhaps": supported values: "Yes", "No"' in wrong.err
    kubectl("delete", "ippools", "blue")


def test_the_server_is_healthy_and_says_its_version(kubectl: Kubectl) -> None:
    assert kubectl("get", "--raw", "/healthz") == "ok"
    assert "Server Version: v1.32" in kubectl("version")
