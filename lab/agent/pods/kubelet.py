"""All pods of this node: a worker for each, from the pods that the API binds here."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Protocol

import httpx2
from lightkube import AsyncClient
from lightkube.exceptions import ApiError
from lightkube.resources.core_v1 import Pod
from lightkube.types import PatchType

from lab.agent.config import AgentConfig
from lab.agent.pods import link
from lab.agent.pods.address import PodAddresses
from lab.agent.pods.events import PodEvents
from lab.agent.pods.local import LocalPod, PodLink
from lab.agent.pods.sandbox import Sandbox
from lab.agent.pods.worker import PodWorker

log = logging.getLogger(__name__)

LOCAL = "local.json"
"""In a pod's directory: its LocalPod, from the moment its link exists."""


class Datapath(Protocol):
    """What pods need of the node's datapath."""

    async def attach(self, pod: LocalPod) -> None:
        """Returns when the datapath serves the pod."""
        ...

    async def detach(self, pod: LocalPod) -> None:
        """Returns when the datapath has forgotten the pod."""
        ...


class Kubelet:
    """Keeps one worker for each pod of the node; the Home of all of them."""

    def __init__(
        self,
        config: AgentConfig,
        client: AsyncClient,
        datapath: Datapath,
        *,
        mtu: int,
        route_mtu: int,
    ) -> None:
        self.node_name = config.node
        self.node_addresses: Sequence[IPv4Address | IPv6Address] = config.node_addresses
        self.router_ip = config.router_ip
        self.router_ip6 = config.ipv6.router_ip if config.ipv6 else None
        self.mtu = mtu
        self.route_mtu = route_mtu
        self.workers: dict[str, PodWorker] = {}
        self._root = config.run_dir / "pods"
        self._root.mkdir(parents=True, exist_ok=True)
        self.addresses = PodAddresses(
            config.pod_cidr,
            config.run_dir / "addresses.json",
            [config.router_ip],
            config.ipv6.pod_cidr if config.ipv6 else None,
        )
        self._client = client
        self.events = PodEvents(client, config.node)
        self._datapath = datapath
        self._tasks: set[asyncio.Task[None]] = set()

    def directory(self, uid: str) -> Path:
        return self._root / uid

    def found(self) -> list[LocalPod]:
        """The pods that an earlier agent left running: those whose links are still there."""
        pods = [self._known(path.name) for path in self._root.iterdir()]
        return [pod for pod in pods if pod is not None and _is_linked(pod)]

    def known_link(self, uid: str) -> PodLink | None:
        pod = self._known(uid)
        return pod.link if pod else None

    def worker(self, namespace: str, name: str) -> PodWorker | None:
        """The worker of the pod of that name."""
        for worker in self.workers.values():
            meta = worker.pod.metadata
            if meta is not None and (meta.namespace, meta.name) == (namespace, name):
                return worker
        return None

    def reconcile(self, pods: Iterable[Pod]) -> None:
        """Have a worker for each pod that is bound to this node, and tell each of its object."""
        bound: Mapping[str, Pod] = {
            pod.metadata.uid: pod
            for pod in pods
            if pod.spec
            and pod.spec.nodeName == self.node_name
            and pod.metadata
            and pod.metadata.uid
        }
        for uid, pod in bound.items():
            worker = self.workers.get(uid)
            if worker is not None:
                worker.update(pod)
            elif not _over(pod) or _leaving(pod) or self._lives(uid):
                self._start(uid, PodWorker(pod, self))
        for uid in self.workers.keys() - bound.keys():
            self.workers[uid].withdraw()

    async def sweep(self, pods: Iterable[Pod]) -> None:
        """End what an earlier agent left of pods that are gone from the API."""
        uids = {pod.metadata.uid for pod in pods if pod.metadata}
        for directory in [path for path in self._root.iterdir() if path.name not in uids]:
            sandbox = Sandbox(directory, lambda: None)
            if sandbox.adopt():
                sandbox.stop()
                sandbox.close()
            pod = self._known(directory.name)
            if pod is not None:
                await self._datapath.detach(pod)
                await asyncio.to_thread(link.disconnect, pod.link.name)
            self.addresses.give_back(directory.name)
            shutil.rmtree(directory)

    async def attach(self, pod: LocalPod) -> None:
        addresses = {
            "address": str(pod.address),
            "address6": str(pod.address6) if pod.address6 else None,
        }
        plain = {**asdict(pod), **addresses}
        fresh = self.directory(pod.uid) / f".{LOCAL}"
        fresh.write_text(json.dumps(plain))
        fresh.replace(self.directory(pod.uid) / LOCAL)
        await self._datapath.attach(pod)

    async def detach(self, pod: LocalPod) -> None:
        await self._datapath.detach(pod)

    def tell(self, pod: Pod, container: str, kind: str, reason: str, message: str) -> None:
        self.events.tell(pod, container, kind, reason, message)

    async def report(self, pod: Pod, status: dict[str, Any]) -> bool:
        """Write a pod's status. True as well when there is no such pod any more."""
        meta = pod.metadata
        assert meta is not None
        # With its uid: a pod of the same name that came later is none of this one's business.
        patch = {"metadata": {"uid": meta.uid}, "status": status}
        try:
            await self._client.patch(
                Pod.Status,
                meta.name or "",
                patch,
                namespace=meta.namespace,
                patch_type=PatchType.MERGE,
            )
        except ApiError as error:
            return _settled(error, f"status of {meta.name}")
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            log.info("status of %s: %s", meta.name, error)
            return False
        return True

    async def gone(self, pod: Pod) -> bool:
        meta = pod.metadata
        assert meta is not None
        try:
            await self._client.delete(
                Pod, meta.name or "", namespace=meta.namespace, grace_period=0
            )
        except ApiError as error:
            return _settled(error, f"deletion of {meta.name}")
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            log.info("deletion of %s: %s", meta.name, error)
            return False
        return True

    def _lives(self, uid: str) -> bool:
        """Whether PID 1 of a pod that ran to its end still holds what there is to know of it."""
        sandbox = Sandbox(self.directory(uid), lambda: None)
        alive = sandbox.adopt()
        sandbox.close()
        return alive

    def _known(self, uid: str) -> LocalPod | None:
        file = self.directory(uid) / LOCAL
        return _local(json.loads(file.read_text())) if file.exists() else None

    def _start(self, uid: str, worker: PodWorker) -> None:
        self.workers[uid] = worker
        task = asyncio.create_task(worker.run(), name=f"pod {uid}")
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            del self.workers[uid]
            if not task.cancelled() and task.exception() is not None:
                log.error("the worker of pod %s failed", uid, exc_info=task.exception())

        task.add_done_callback(ended)


def _is_linked(pod: LocalPod) -> bool:
    """After a loss of power the files are there, and the links are not."""
    index = Path("/sys/class/net", pod.link.name, "ifindex")
    return index.exists() and int(index.read_text()) == pod.link.index


def _leaving(pod: Pod) -> bool:
    return pod.metadata is not None and pod.metadata.deletionTimestamp is not None


def _over(pod: Pod) -> bool:
    """It ran to its end, or is to be removed, before this node did anything for it."""
    phase = pod.status.phase if pod.status else None
    return phase in ("Succeeded", "Failed")


def _settled(error: ApiError, what: str) -> bool:
    """Whether an API error means that the object is gone or another one: nothing left to do."""
    if error.status.code in (404, 409):
        return True
    log.warning("%s: %s", what, error.status.message)
    return False


def _local(plain: dict[str, Any]) -> LocalPod:
    link_facts = PodLink(**plain.pop("link"))
    address, six = IPv4Address(plain.pop("address")), plain.pop("address6")
    return LocalPod(
        address=address, link=link_facts, address6=IPv6Address(six) if six else None, **plain
    )
