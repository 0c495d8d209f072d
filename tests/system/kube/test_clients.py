"""Clients that people have, on a lab's management node: each generation and library alike."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from lab import shell
from lab.repository import REPOSITORY
from lab.sandbox.handle import Lab
from lab.shell import Result
from lab.wait import until
from tests.system.kube import story
from tests.system.kube.kubectls import PACKAGES, WITH_EVICTION, WITH_WEBSOCKET, program

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
]

PATIENCE = "--timeout=60s"
"""A bound for loaded machines."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    name = f"clients-{os.getpid()}"
    up = [sys.executable, "-m", "lab.cli", "up", "basic", "--name", name, "-O", "workers=2"]
    shell.run(up, timeout=120)
    running = Lab.find(name)
    yield running
    running.end()


@dataclass(frozen=True)
class Kubectl:
    """A kubectl of one generation, in a namespace of its own."""

    lab: Lab
    version: str

    @property
    def namespace(self) -> str:
        return "by-" + self.version.replace(".", "-")

    def probe(self, *words: str, input: Any = None, env: str = "A=b") -> Result:
        text = input if input is None or isinstance(input, str) else json.dumps(input)
        return self.lab.control_node().probe(self.argv(*words, env=env), input=text, timeout=90)

    def argv(self, *words: str, env: str = "A=b") -> list[str]:
        return ["env", env, str(program(self.version)), "-n", self.namespace, *words]

    def spawn(self, *words: str) -> AbstractContextManager[subprocess.Popen[str]]:
        return self.lab.control_node().spawn(self.argv(*words))

    def __call__(self, *words: str, input: Any = None, env: str = "A=b") -> str:
        result = self.probe(*words, input=input, env=env)
        assert result.ok, f"kubectl {self.version} {' '.join(words)}: {result.err}"
        return result.out

    def refused(self, *words: str, input: Any = None) -> str:
        result = self.probe(*words, input=input)
        assert not result.ok, result.out
        return result.err

    def value(self, kind: str, name: str, path: str) -> str:
        return self("get", kind, name, "-o", f"jsonpath={{{path}}}")

    def names(self, *words: str) -> list[str]:
        return self("get", *words, "-o", "name").split()


@pytest.fixture(scope="module", params=PACKAGES)
def kubectl(lab: Lab, request: pytest.FixtureRequest) -> Kubectl:
    client = Kubectl(lab, request.param)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": client.namespace}}
    client("apply", "-f", "-", input=namespace)
    return client


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    made = story.deployment()
    made["metadata"]["name"] = name
    made["spec"] |= spec
    return made


@pytest.fixture
def web(kubectl: Kubectl) -> Iterator[Kubectl]:
    """The deployment `web`, up."""
    kubectl("apply", "-f", "-", input=deployment("web"))
    kubectl("rollout", "status", "deployment/web", PATIENCE)
    yield kubectl
    kubectl("delete", "deployment", "web", "--wait=false", "--ignore-not-found")


def test_discovery(kubectl: Kubectl) -> None:
    assert "v1.32." in kubectl("version")
    assert "is running at" in kubectl("cluster-info")
    assert kubectl("get", "--raw", "/healthz") == "ok"
    listed = kubectl("api-resources", "--api-group=cilium.io", "-o", "name").split()
    assert "ciliumloadbalancerippools.cilium.io" in listed
    assert kubectl("auth", "can-i", "create", "pods") == "yes\n"
    assert "rollingUpdate" in kubectl("explain", "deployment.spec.strategy")


def test_apply_tells_what_changes_and_removes_what_is_left_out(kubectl: Kubectl) -> None:
    settings: dict[str, Any] = {**story.config_map(), "data": {"a": "1", "b": "2"}}
    assert kubectl("apply", "-f", "-", input=settings) == "configmap/settings created\n"
    assert kubectl("apply", "-f", "-", input=settings) == "configmap/settings unchanged\n"
    settings["data"] = {"a": "3"}
    difference = kubectl.probe("diff", "-f", "-", input=settings)
    assert difference.code == 1
    assert {'-  a: "1"', '+  a: "3"', '-  b: "2"'} <= set(difference.out.splitlines())
    assert kubectl("apply", "-f", "-", input=settings) == "configmap/settings configured\n"
    assert json.loads(kubectl.value("cm", "settings", ".data")) == {"a": "3"}
    kubectl("delete", "configmap", "settings")


def test_forms_of_an_answer(web: Kubectl) -> None:
    head, *rows = web("get", "pods", "-l", "app=web", "-o", "wide").splitlines()
    assert head.split()[:7] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    row = r"web-[a-z0-9]{8,10}-[a-z0-9]{5} +1/1 +Running +0 +\d+s +10\.0\.\d\.\d+ +k8s-worker\d"
    assert all(re.match(row, each) for each in rows)
    assert json.loads(web("get", "deploy", "web", "-o", "json"))["status"]["readyReplicas"] == 2
    assert "readyReplicas: 2" in web("get", "deploy", "web", "-o", "yaml")
    columns = "custom-columns=NAME:.metadata.name,NODE:.spec.nodeName"
    table = web("get", "pods", "-l", "app=web", "-o", columns, "--no-headers").splitlines()
    assert {line.split()[1] for line in table} == {"k8s-worker1", "k8s-worker2"}
    running = ("--field-selector=status.phase=Running", "--chunk-size=1")
    assert len(web.names("pods", "-l", "app=web", *running)) == 2
    assert web.names("pods", "-l", "app=nothing") == []
    assert "2 desired | 2 updated | 2 total | 2 available" in web("describe", "deploy", "web")


def test_create_expose_and_scale(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "two", "--image=nginx")
    kubectl("create", "configmap", "cm", "--from-literal=a=b")
    kubectl("create", "secret", "generic", "secret", "--from-literal=p=q")
    assert kubectl.value("secret", "secret", ".data.p") == "cQ=="
    kubectl("create", "service", "clusterip", "plain", "--tcp=80:8080")
    assert kubectl.value("service", "plain", ".spec.ports[0].targetPort") == "8080"
    kubectl("expose", "deployment", "two", "--port=80", "--type=LoadBalancer")
    address = re.compile(r"172\.16\.10\.\d+").fullmatch
    until(
        lambda: kubectl.value("service", "two", ".status.loadBalancer.ingress[0].ip"),
        address,
        within=60,
        what="an address",
    )
    kubectl("scale", "deployment", "two", "--replicas=2")
    kubectl("wait", "--for=condition=Available", "deployment/two", PATIENCE)
    assert kubectl.value("deployment", "two", ".spec.replicas") == "2"
    kubectl("delete", "deployment,service", "two", "--wait=false")
    kubectl("delete", "configmap/cm", "secret/secret", "service/plain")


def test_rolling_out_and_back(web: Kubectl) -> None:
    image = ".spec.template.spec.containers[0].image"
    web("set", "image", "deployment/web", "web=nginx:1.27")
    web("rollout", "status", "deployment/web", PATIENCE)
    assert web.value("deployment", "web", image) == "nginx:1.27"
    web("rollout", "restart", "deployment/web")
    web("rollout", "status", "deployment/web", PATIENCE)
    web("rollout", "undo", "deployment/web", "--to-revision=1")
    web("rollout", "status", "deployment/web", PATIENCE)
    assert web.value("deployment", "web", image) == "nginx"
    history = web("rollout", "history", "deployment/web").split("\n")
    assert [line.split()[0] for line in history[2:] if line] == ["2", "3", "4"]
    assert "Scaled up replica set web-" in web("get", "events")


def test_editing_patching_and_labelling(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "cm", "--from-literal=a=b")
    kubectl("edit", "configmap", "cm", env="EDITOR=sed -i s/a:.b/a:\\ edited/")
    assert kubectl.value("cm", "cm", ".data.a") == "edited"
    steps = '[{"op": "add", "path": "/data/x", "value": "y"}]'
    kubectl("patch", "cm", "cm", "--type=json", "-p", steps)
    kubectl("patch", "cm", "cm", "--type=merge", "-p", '{"data": {"a": null}}')
    kubectl("patch", "cm", "cm", "-p", '{"data": {"z": "1"}}')
    assert json.loads(kubectl.value("cm", "cm", ".data")) == {"x": "y", "z": "1"}
    kubectl("label", "cm", "cm", "tier=gold")
    assert "already has a value (gold)" in kubectl.refused("label", "cm", "cm", "tier=silver")
    kubectl("label", "cm", "cm", "tier=silver", "--overwrite")
    kubectl("annotate", "cm", "cm", "note=hello")
    assert kubectl.value("cm", "cm", ".metadata.annotations.note") == "hello"
    assert kubectl.names("cm", "-l", "tier in (silver,gold)") == ["configmap/cm"]
    kubectl("delete", "configmap", "-l", "tier=silver")


def test_what_is_refused(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "here", "--from-literal=a=b")
    again = kubectl.refused("create", "configmap", "here")
    assert 'configmaps "here" already exists' in again
    assert '(NotFound): pods "nobody" not found' in kubectl.refused("get", "pod", "nobody")
    assert "the server doesn't have a resource type" in kubectl.refused("get", "gadgets")
    wrong = deployment("web", replicaz=3)
    assert "replicaz" in kubectl.refused("apply", "-f", "-", input=wrong)
    selector = deployment("other", selector={"matchLabels": {"app": "other"}})
    text = "`selector` does not match template `labels`"
    assert text in kubectl.refused("apply", "-f", "-", input=selector)
    stale = json.loads(kubectl("get", "cm", "here", "-o", "json"))
    kubectl("patch", "cm", "here", "-p", '{"data": {"a": "c"}}')
    conflict = kubectl.refused("replace", "-f", "-", input=stale)
    assert "the object has been modified" in conflict
    kubectl("delete", "configmap", "here")


def test_dry_run_generated_names_and_finalizers(kubectl: Kubectl) -> None:
    settings = story.config_map()
    kubectl("create", "-f", "-", "--dry-run=server", input=settings)
    assert "settings" not in str(kubectl.names("cm"))
    settings["metadata"] = {"generateName": "one-of-", "finalizers": ["lab/wait"]}
    made = kubectl("create", "-f", "-", "-o", "name", input=settings).strip()
    assert re.fullmatch(r"configmap/one-of-[a-z0-9]{5}", made)
    kubectl("delete", made, "--wait=false")
    assert kubectl("get", made, "-o", "jsonpath={.metadata.deletionTimestamp}")
    kubectl("patch", made, "-p", '{"metadata": {"finalizers": null}}', "--type=merge")
    assert made not in kubectl.names("cm")


def test_dependents_go_with_their_owner_or_stay(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", input=deployment("parent", replicas=0))
    owned = until(lambda: kubectl.names("rs", "-l", "app=web"), bool, within=60, what="its set")
    kubectl("delete", "deployment", "parent", "--cascade=false" if kubectl.version == "1.20"
            else "--cascade=orphan")  # fmt: skip
    assert set(owned) <= set(kubectl.names("rs", "-l", "app=web"))
    kubectl("delete", *owned)


def test_nodes_are_drained_and_tainted(web: Kubectl) -> None:
    try:
        told = web("drain", "k8s-worker1", "--ignore-daemonsets", "--force", PATIENCE)
        assert ("evicted" if web.version in WITH_EVICTION else "deleted") in told
        web("rollout", "status", "deployment/web", PATIENCE)
        nodes = web("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}")
        assert "k8s-worker1" not in nodes
        assert "Ready,SchedulingDisabled" in web("get", "node", "k8s-worker1")
        web("taint", "node", "k8s-worker2", "color=blue:NoSchedule")
        web("run", "homeless", "--image=nginx", "--restart=Never")
        told = until(
            lambda: web("describe", "pod", "homeless"),
            lambda text: "had untolerated taint {color: blue}" in text,
            within=60,
            what="why nothing fits",
        )
        assert "node(s) were unschedulable" in told
    finally:
        web("taint", "node", "k8s-worker2", "color-")
        web("uncordon", "k8s-worker1")
    web("wait", "--for=condition=Ready", "pod/homeless", PATIENCE)
    web("delete", "pod", "homeless", "--now")


def test_logs_and_exec(web: Kubectl) -> None:
    pod = web.names("pods", "-l", "app=web")[0]
    assert "kube-probe" in web("logs", pod, "--tail=1")
    line = web("logs", pod, "--timestamps", "--since=1h").splitlines()[0]
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ", line)
    assert web("logs", pod, "--since-time=2090-01-01T00:00:00Z") == ""
    if web.version in WITH_WEBSOCKET:
        assert web("exec", pod, "--", "hostname") == pod.partition("/")[2] + "\n"
        assert web.probe("exec", pod, "--", "sh", "-c", "exit 3").code == 3
    else:
        assert "exec needs a WebSocket" in web.refused("exec", pod, "--", "hostname")


def test_a_followed_log_ends_with_its_pod(kubectl: Kubectl) -> None:
    kubectl("run", "brief", "--image=machine", "--restart=Never", "--command", "--",
            "sh", "-c", "for i in 1 2 3; do echo line $i; done")  # fmt: skip
    until(
        lambda: kubectl.value("pod", "brief", ".status.phase"),
        "Succeeded".__eq__,
        within=60,
        what="the end of the pod",
    )
    assert kubectl("logs", "-f", "brief") == "line 1\nline 2\nline 3\n"
    kubectl("delete", "pod", "brief")


def test_a_watch_tells_what_happens(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "seen")
    words = ("get", "configmaps", "--watch", "--output-watch-events", "--no-headers")
    with kubectl.spawn(*words) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline().split()[:2] == ["ADDED", "seen"]
        kubectl("patch", "configmap", "seen", "-p", '{"data": {"a": "b"}}')
        assert watch.stdout.readline().split()[:3] == ["MODIFIED", "seen", "1"]
        kubectl("delete", "configmap", "seen")
        assert watch.stdout.readline().split()[:2] == ["DELETED", "seen"]


@pytest.mark.parametrize("library", ["kubernetes", "lightkube", "kr8s"])
def test_a_regression_script_and_its_library(lab: Lab, library: str) -> None:
    script = f"tests.system.kube.with_{library}"
    argv = ["env", "-C", str(REPOSITORY), sys.executable, "-m", script, f"by-{library}"]
    seen: story.Seen = lab.control_node().run(argv, timeout=120).json()
    assert re.fullmatch(r"172\.16\.10\.\d+", seen.pop("address"))
    assert seen == {
        "nodes": ["k8s-worker1", "k8s-worker2"],
        "log": True,
        "exec": True,
        "refusals": story.REFUSED,
        "scaled": 1,
        "pool": [{"cidr": "192.0.2.0/28"}],
    }
