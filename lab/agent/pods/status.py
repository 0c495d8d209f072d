"""The status of a pod as the API shows it, from what its containers do. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from lightkube.models.core_v1 import Container, ContainerStatus, PodCondition
from lightkube.resources.core_v1 import Pod

from lab.agent.pods.backoff import restarts
from lab.agent.pods.sandbox import Process
from lab.agent.pods.spec import Refusal

Json = dict[str, Any]


@dataclass(frozen=True)
class ContainerView:
    """What there is to say of one container."""

    spec: Container
    attempt: int = 0
    process: Process | None = None
    """The newest run; None before the first."""
    last: Process | None = None
    """The run before."""
    waiting: Refusal | None = None
    """Why it does not run; None: it was not its turn yet, or it runs or ended."""
    started: bool = False
    ready: bool = False

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.code is None and self.waiting is None

    @property
    def code(self) -> int | None:
        """Exit code of the newest run; None while it runs or waits."""
        return self.process.code if self.process is not None else None


@dataclass(frozen=True)
class PodView:
    """What there is to say of a pod."""

    initial: Sequence[ContainerView]
    containers: Sequence[ContainerView]
    host_ips: Sequence[str]
    """The node's, one of each address family."""
    pod_ips: Sequence[str] = ()
    """One of each address family, IPv4 first; none before the pod has its link."""
    start_time: str = ""
    """RFC 3339: when this node took the pod."""
    terminating: bool = False


def pod_status(pod: Pod, view: PodView, now: str) -> Json:
    """The whole status, for a merge patch. Conditions that did not turn keep their time."""
    policy = pod.spec.restartPolicy if pod.spec else None
    status: Json = {
        "phase": phase(view, policy),
        "conditions": _conditions(pod, view, now),
        "hostIP": view.host_ips[0],
        "hostIPs": [{"ip": each} for each in view.host_ips],
        "startTime": view.start_time,
        "containerStatuses": [_container(pod, each) for each in view.containers],
    }
    if view.initial:
        status["initContainerStatuses"] = [_container(pod, each) for each in view.initial]
    if view.pod_ips:
        status |= {"podIP": view.pod_ips[0], "podIPs": [{"ip": each} for each in view.pod_ips]}
    return status


def phase(view: PodView, policy: str | None) -> str:
    """Pending, Running, Succeeded or Failed: the pod lifecycle of Kubernetes' documentation."""
    if any(each.code and not restarts(policy, each.code) for each in view.initial):
        return "Failed"
    codes = [each.code for each in view.containers]
    if any(each.process is None for each in view.containers):
        return "Pending"
    if any(code is None or restarts(policy, code) for code in codes):
        return "Running" if not view.terminating or None in codes else _ended(codes)
    return _ended(codes)


def _ended(codes: Sequence[int | None]) -> str:
    return "Failed" if any(codes) else "Succeeded"


def reported(pod: Pod) -> dict[str, ContainerStatus]:
    """What the API was last told of each container."""
    statuses = pod.status.containerStatuses if pod.status else None
    return {status.name: status for status in statuses or ()}


def attempts_before(pod: Pod) -> dict[str, int]:
    """Numbers of the next attempts of containers that ran in a sandbox which is no more: their
    node lost power, say.
    """
    return {
        name: status.restartCount + 1
        for name, status in reported(pod).items()
        if status.state and (status.state.running or status.state.terminated)
    }


def stamp(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _conditions(pod: Pod, view: PodView, now: str) -> list[Json]:
    unready = [each.spec.name for each in view.containers if not each.ready]
    initialised = all(each.code == 0 for each in view.initial)
    waiting = [each.spec.name for each in view.initial if each.code != 0]
    why_not = {
        "reason": "ContainersNotReady",
        "message": f"containers with unready status: [{' '.join(unready)}]",
    }
    why_not_initialised = {
        "reason": "ContainersNotInitialized",
        "message": f"containers with incomplete status: [{' '.join(waiting)}]",
    }
    ready = not unready and initialised
    wanted = [
        _condition("Initialized", initialised, why_not_initialised),
        _condition("Ready", ready, why_not),
        _condition("ContainersReady", ready, why_not),
        _condition("PodScheduled", True, {}),
    ]
    before = {each.type: each for each in (pod.status and pod.status.conditions) or ()}
    return [
        condition | _since(condition, before.get(condition["type"]), now) for condition in wanted
    ]


def _condition(kind: str, holds: bool, why_not: Json) -> Json:
    return {"type": kind, "status": str(holds), **({} if holds else why_not)}


def _since(condition: Json, before: PodCondition | None, now: str) -> Json:
    """When the condition became what it is."""
    turned = now
    if before is not None and before.status == condition["status"] and before.lastTransitionTime:
        turned = before.lastTransitionTime.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"lastTransitionTime": turned, "lastProbeTime": None}


def _container(pod: Pod, view: ContainerView) -> Json:
    assert pod.metadata is not None
    text = f"{pod.metadata.uid}/{view.spec.name}/{view.attempt}"
    ran = view.process is not None or view.last is not None
    last = _terminated(view.last) if view.last is not None else {}
    return {
        "name": view.spec.name,
        "image": view.spec.image,
        "imageID": f"lab/{view.spec.image}" if ran else "",
        "containerID": f"lab://{hashlib.sha256(text.encode()).hexdigest()}" if ran else "",
        "ready": view.ready,
        "started": view.started,
        "restartCount": view.attempt,
        "state": _state(view),
        "lastState": last,
    }


def _state(view: ContainerView) -> Json:
    if view.waiting is not None:
        return {"waiting": {"reason": view.waiting.reason, "message": view.waiting.message}}
    if view.process is None:
        return {"waiting": {"reason": "ContainerCreating"}}
    if view.process.code is None:
        return {"running": {"startedAt": stamp(view.process.started)}}
    return _terminated(view.process)


def _terminated(process: Process) -> Json:
    return {
        "terminated": {
            "exitCode": process.code,
            "reason": "Error" if process.code else "Completed",
            "startedAt": stamp(process.started),
            "finishedAt": stamp(process.finished or process.started),
        }
    }
