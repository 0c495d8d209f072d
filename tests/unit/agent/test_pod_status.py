"""Pods as programs and as status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from lightkube.models.core_v1 import Container, PodCondition, PodStatus
from lightkube.resources.core_v1 import Pod

from lab.agent.pods.backoff import crashes_now, delay, restarts
from lab.agent.pods.images import find
from lab.agent.pods.pages import NGINX_PAGE
from lab.agent.pods.sandbox import Process
from lab.agent.pods.spec import Program, Refusal, grace, hosts_file, program
from lab.agent.pods.status import (
    ContainerView,
    PodView,
    attempts_before,
    phase,
    pod_status,
    reported,
)
from tests.unit.agent.objects import pod

FACTS = {
    "status.podIP": "10.0.1.7",
    "spec.nodeName": "k8s-worker1",
    "status.hostIP": "192.168.1.21",
}
WEB = pod("web1-a", "10.0.1.7", "192.168.1.21")
SPEC = Container(name="web1", image="nginx")
RUNS = Process(pid=7, attempt=0, started=1000.0)
NOW = "2026-11-22T21:00:00Z"


def container(**fields: Any) -> Program | Refusal:
    return program(WEB, Container.from_dict({"name": "c", **fields}), FACTS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "reference",
    ["nginx", "nginx:1.27", "docker.io/library/nginx:1", "nginx@sha256:00", "host:5000/nginx:x"],
)
def test_an_image_is_found_under_any_of_its_references(reference: str) -> None:
    assert find(reference) is find("nginx")
    assert find(reference) is not None


@pytest.mark.parametrize("reference", ["", "nginxx", "nginx/other", "nobody/knows:1"])
def test_unknown_images(reference: str) -> None:
    assert find(reference) is None


def test_the_page_is_as_long_as_the_official_image_s() -> None:
    assert len(NGINX_PAGE.encode()) == 615


@pytest.mark.parametrize(
    ("fields", "argv"),
    [
        ({"image": "iperf3"}, ("iperf3", "--server")),
        ({"image": "iperf3", "args": ["-c", "x"]}, ("iperf3", "-c", "x")),
        ({"image": "iperf3", "command": ["true"]}, ("true",)),
        ({"image": "iperf3", "command": ["sh"], "args": ["-c", "ls"]}, ("sh", "-c", "ls")),
        (
            {"image": "machine", "command": ["echo", "$(A) $$(A) $(NO)"],
             "env": [{"name": "A", "value": "1"}]},
            ("echo", "1 $(A) $(NO)"),
        ),
    ],
)  # fmt: skip
def test_commands(fields: dict[str, Any], argv: tuple[str, ...]) -> None:
    found = container(**fields)
    assert isinstance(found, Program)
    assert found.argv == argv


def test_environment_from_values_and_fields() -> None:
    env = [
        {"name": "A", "value": "x"},
        {"name": "B", "value": "$(A)y"},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    found = container(image="machine", command=["env"], env=env)
    assert isinstance(found, Program)
    assert [found.env[name] for name in ("A", "B", "IP", "ME", "HOSTNAME")] == [
        "x", "xy", "10.0.1.7", "web1-a", "web1-a",
    ]  # fmt: skip


def test_what_cannot_be_started_says_why() -> None:
    unknown, empty = container(image="nosuch:1"), container(image="machine")
    assert isinstance(unknown, Refusal)
    assert isinstance(empty, Refusal)
    assert unknown.reason == "ErrImagePull"
    assert "nosuch:1" in unknown.message
    assert "nginx" in unknown.message
    assert empty.reason == "CreateContainerError"


@pytest.mark.parametrize(
    ("deletion", "spec", "seconds"), [(None, None, 30.0), (None, 5, 5.0), (0, 5, 0.0)]
)
def test_grace(deletion: int | None, spec: int | None, seconds: float) -> None:
    one = pod("x", "10.0.0.2", "192.168.1.21")
    assert one.metadata is not None
    assert one.spec is not None
    one.metadata.deletionGracePeriodSeconds, one.spec.terminationGracePeriodSeconds = deletion, spec
    assert grace(one) == seconds


def test_the_hosts_file_names_the_pod() -> None:
    assert "10.0.1.7\tweb1-a\n" in hosts_file(WEB, ["10.0.1.7"])


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        ("Always", 0, True), ("Always", 1, True), (None, 0, True), ("OnFailure", 0, False),
        ("OnFailure", 1, True), ("Never", 1, False), ("Never", 0, False),
    ],
)  # fmt: skip
def test_restart_policies(policy: str | None, code: int, again: bool) -> None:
    assert restarts(policy, code) is again


def test_restarts_come_later_and_later() -> None:
    assert [delay(n) for n in range(1, 9)] == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_long_run_forgives_crashes() -> None:
    assert (crashes_now(4, ran_for=5), crashes_now(4, ran_for=600)) == (5, 1)


def ended(code: int) -> ContainerView:
    return ContainerView(SPEC, process=Process(7, 0, 1000.0, code, 1001.0))


@pytest.mark.parametrize(
    ("containers", "policy", "expected"),
    [
        ([ContainerView(SPEC)], "Always", "Pending"),
        ([ContainerView(SPEC, process=RUNS)], "Always", "Running"),
        ([ContainerView(SPEC, process=RUNS), ContainerView(SPEC)], "Always", "Pending"),
        ([ended(0)], "Always", "Running"),
        ([ended(0)], "OnFailure", "Succeeded"),
        ([ended(1)], "OnFailure", "Running"),
        ([ended(0), ended(1)], "Never", "Failed"),
        ([ended(0), ContainerView(SPEC, process=RUNS)], "Never", "Running"),
    ],
)
def test_phases(containers: list[ContainerView], policy: str, expected: str) -> None:
    assert phase(PodView([], containers, ["192.168.1.21"]), policy) == expected


def status(view: ContainerView, before: Pod = WEB, **facts: Any) -> Mapping[str, Any]:
    return pod_status(
        before, PodView([], [view], ["192.168.1.21"], ["10.0.1.7"], NOW, **facts), NOW
    )


def condition(found: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next(each for each in found["conditions"] if each["type"] == kind)


def test_a_ready_pod() -> None:
    found = status(ContainerView(SPEC, process=RUNS, started=True, ready=True))

    assert found["phase"] == "Running"
    assert found["podIPs"] == [{"ip": "10.0.1.7"}]
    assert condition(found, "Ready")["status"] == "True"
    assert found["containerStatuses"][0]["state"] == {
        "running": {"startedAt": "1970-01-01T00:16:40Z"}
    }


def test_what_never_ran_has_no_image_and_no_container() -> None:
    refused = ContainerView(SPEC, waiting=Refusal("ErrImagePull", "unknown"))
    (told,) = status(refused)["containerStatuses"]
    assert (told["imageID"], told["containerID"]) == ("", "")
    (ran,) = status(ContainerView(SPEC, process=RUNS))["containerStatuses"]
    assert ran["imageID"] == "lab/nginx"
    assert ran["containerID"].startswith("lab://")


def test_an_unready_pod_says_which_container() -> None:
    ready = condition(status(ContainerView(SPEC, process=RUNS)), "Ready")

    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    assert ready["message"] == "containers with unready status: [web1]"


def test_a_pod_that_terminates_is_ready_for_as_long_as_it_answers() -> None:
    view = ContainerView(SPEC, process=RUNS, started=True, ready=True)
    assert condition(status(view, terminating=True), "Ready")["status"] == "True"
    ended = ContainerView(SPEC, process=replace(RUNS, code=0), started=True)
    assert condition(status(ended, terminating=True), "Ready")["status"] == "False"


def test_a_crashed_container_shows_its_last_run() -> None:
    last = Process(7, 0, 1000.0, 137, 1001.0)
    waiting = Refusal("CrashLoopBackOff", "back-off 10s")
    view = ContainerView(SPEC, attempt=1, process=last, last=last, waiting=waiting)
    shown = status(view)["containerStatuses"][0]

    assert shown["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    assert shown["lastState"]["terminated"]["exitCode"] == 137
    assert shown["restartCount"] == 1


def test_a_condition_that_did_not_turn_keeps_its_time() -> None:
    known = pod("web1-a", "10.0.1.7", "192.168.1.21")
    since = {"lastTransitionTime": "2026-01-01T00:00:00Z", "type": "Ready", "status": "True"}
    known.status = PodStatus.from_dict({"conditions": [since]})  # type: ignore[assignment]
    assert isinstance(known.status.conditions[0], PodCondition)  # type: ignore[union-attr, index]
    found = status(ContainerView(SPEC, process=RUNS, started=True, ready=True), known)

    assert condition(found, "Ready")["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert condition(found, "ContainersReady")["lastTransitionTime"] == NOW


def test_containers_of_a_node_that_lost_power_go_on_counting() -> None:
    known = pod("web1-a", "10.0.1.7", "192.168.1.21")
    running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    facts = {"image": "nginx", "imageID": "", "ready": True}
    statuses = [
        {"name": "ran", "restartCount": 2, "state": running, **facts},
        {"name": "waited", "restartCount": 0, "state": {"waiting": {}}, **facts},
    ]
    known.status = PodStatus.from_dict({"containerStatuses": statuses})  # type: ignore[assignment]

    assert attempts_before(known) == {"ran": 3}
    assert reported(known)["waited"].ready
    assert attempts_before(WEB) == {}


def test_a_pod_of_both_families_tells_all_addresses() -> None:
    hosts, own = ["192.168.1.21", "2001:db8:1::21"], ["10.0.1.7", "fd00:10:0:1::7"]
    told = pod_status(WEB, PodView([], [], hosts, own, NOW), NOW)
    assert (told["hostIP"], told["podIP"]) == ("192.168.1.21", "10.0.1.7")
    assert told["hostIPs"] == [{"ip": "192.168.1.21"}, {"ip": "2001:db8:1::21"}]
    assert told["podIPs"] == [{"ip": "10.0.1.7"}, {"ip": "fd00:10:0:1::7"}]
    assert hosts_file(WEB, own).count("web1-a") == 2
