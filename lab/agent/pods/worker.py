"""One pod on this node, from the moment it is bound here to its end: looks, acts, reports."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Protocol

from lightkube.models.core_v1 import Container, PodSpec
from lightkube.resources.core_v1 import Pod

from lab.agent.bell import Bell
from lab.agent.pods import link
from lab.agent.pods.address import PodAddresses
from lab.agent.pods.container import Launch
from lab.agent.pods.containers import ContainerRun, Surroundings
from lab.agent.pods.files import write_pod_files
from lab.agent.pods.local import LocalPod, PodLink
from lab.agent.pods.probing import Asker
from lab.agent.pods.sandbox import Sandbox
from lab.agent.pods.spec import PATH, grace, hostname, program
from lab.agent.pods.status import PodView, attempts_before, pod_status, reported, stamp
from lab.errors import LabError

log = logging.getLogger(__name__)

RETRY = 1.0
"""Seconds until something that failed is tried again."""


class Home(Protocol):
    """What the node offers its pods."""

    node_name: str
    node_addresses: Sequence[IPv4Address | IPv6Address]
    """One of each address family, IPv4 first."""
    router_ip: IPv4Address
    router_ip6: IPv6Address | None
    """None, and with it the pods' IPv6 addresses, in an IPv4 cluster."""
    addresses: PodAddresses
    mtu: int
    """Of the pods' links: that of the node's uplink."""
    route_mtu: int
    """Of packets that go through the tunnel."""

    def directory(self, uid: str) -> Path:
        """Where a pod's files are."""
        ...

    def known_link(self, uid: str) -> PodLink | None:
        """The link of a pod that was attached once."""
        ...

    async def attach(self, pod: LocalPod) -> None:
        """Returns when the datapath serves the pod."""
        ...

    async def detach(self, pod: LocalPod) -> None:
        """Returns when the datapath has forgotten the pod."""
        ...

    def tell(self, pod: Pod, container: str, kind: str, reason: str, message: str) -> None:
        """News for people."""
        ...

    async def report(self, pod: Pod, status: dict[str, Any]) -> bool:
        """Write a pod's status to the API; False when that has to be tried again."""
        ...

    async def gone(self, pod: Pod) -> bool:
        """Remove a stopped pod from the API; False when that has to be tried again."""
        ...


class PodWorker:
    """Brings one pod to what its object says. `update` tells it of a newer object."""

    def __init__(self, pod: Pod, home: Home) -> None:
        assert pod.metadata is not None
        self.pod = pod
        self.uid = pod.metadata.uid or ""
        self.local: LocalPod | None = None
        self.bell = Bell()
        self.directory = home.directory(self.uid)
        self.sandbox = Sandbox(self.directory, self.bell.ring)
        self._home = home
        self._initial: list[ContainerRun] = []
        self._containers: list[ContainerRun] = []
        self._started = time.time()
        self._withdrawn = False
        self._reported: dict[str, Any] = {}

    def update(self, pod: Pod) -> None:
        """Take the pod's newest object."""
        self.pod = pod
        self.bell.ring()

    def withdraw(self) -> None:
        """The object is gone without a farewell: end the pod at once."""
        self._withdrawn = True
        assert self.pod.metadata is not None
        if self.pod.metadata.deletionTimestamp is None:
            self.pod.metadata.deletionTimestamp = self.pod.metadata.creationTimestamp
        self.pod.metadata.deletionGracePeriodSeconds = 0
        self.bell.ring()

    async def run(self) -> None:
        """Until the pod is gone. Cancelled, it leaves the pod as it is."""
        try:
            while not await self._set_up():
                await self.bell.heard(RETRY)
            while not self._done():
                if self._lost() and not await self._set_up():
                    await self.bell.heard(RETRY)
                    continue
                due = self._step(time.time())
                if not await self._report():
                    due = min(due or RETRY, time.time() + RETRY)
                await self.bell.heard(None if due is None else max(due - time.time(), 0.0))
            await self._tear_down()
        finally:
            for run in self._all():
                run.close()
            self.sandbox.close()

    @property
    def name(self) -> str:
        return (self.pod.metadata and self.pod.metadata.name) or self.uid

    @property
    def _leaving(self) -> bool:
        return self.pod.metadata is not None and self.pod.metadata.deletionTimestamp is not None

    def _lost(self) -> bool:
        """PID 1 died, and took containers with it that are to run."""
        over = all(run.finished for run in self._containers)
        return not self.sandbox.alive and not self._leaving and not over

    def _all(self) -> list[ContainerRun]:
        return [*self._initial, *self._containers]

    async def _set_up(self) -> bool:
        """Namespaces, address, link; found if they are there, and made anew when PID 1 died.

        False: to be tried again.
        """
        ran = {run.spec.name: run.next_attempt for run in self._all()}
        attempts = ran or attempts_before(self.pod)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            address = self._home.addresses.take(self.uid)
            address6 = self._home.addresses.counterpart(address)
            texts = [str(each) for each in (address, address6) if each]
            write_pod_files(self.directory, self.pod, texts)
            fresh = not self.sandbox.adopt()
            if fresh and self._leaving:
                return True
            await self.sandbox.open(hostname(self.pod))
            await self._connect(address, address6, fresh)
        except LabError as error:
            log.warning("pod %s: %s", self.uid, error)
            return self._leaving
        self._started = (self.directory / "etc").stat().st_ctime
        self._make_runs(texts, attempts)
        return True

    async def _connect(
        self, address: IPv4Address, address6: IPv6Address | None, fresh: bool
    ) -> None:
        found = None if fresh else self._home.known_link(self.uid)
        if found is None:
            name = f"lxc{self.uid.replace('-', '')[:12]}"
            ways: list[link.Way] = [(address, self._home.router_ip)]
            if address6 and self._home.router_ip6:
                ways.append((address6, self._home.router_ip6))
            await asyncio.to_thread(link.disconnect, name)
            found = await asyncio.to_thread(
                link.connect,
                name,
                self.sandbox.pid,
                ways,
                mtu=self._home.mtu,
                route_mtu=self._home.route_mtu,
            )
        meta = self.pod.metadata
        assert meta is not None
        namespace, pod_name = meta.namespace or "", meta.name or ""
        self.local = LocalPod(self.uid, namespace, pod_name, address, found, address6)
        await self._home.attach(self.local)

    def _make_runs(self, addresses: Sequence[str], attempts: Mapping[str, int]) -> None:
        for run in self._all():
            run.close()
        spec = self.pod.spec or PodSpec(containers=[])
        around = Surroundings(
            sandbox=self.sandbox,
            directory=self.directory,
            policy=spec.restartPolicy,
            grace=grace(self.pod),
            bell=self.bell,
            asker=lambda name: Asker(
                str(self._home.router_ip), addresses[0], lambda argv: self._execute(name, argv)
            ),
            tell=lambda *news: self._home.tell(self.pod, *news),
            reported=reported(self.pod).get,
        )
        facts = {
            "spec.nodeName": self._home.node_name,
            "status.hostIP": str(self._home.node_addresses[0]),
            "status.hostIPs": ",".join(map(str, self._home.node_addresses)),
            "status.podIP": addresses[0],
            "status.podIPs": ",".join(addresses),
        }

        def make(container: Container, initial: bool) -> ContainerRun:
            what = program(self.pod, container, facts)
            first = attempts.get(container.name, 0)
            return ContainerRun(container, what, around, initial=initial, first=first)

        self._initial = [make(container, True) for container in spec.initContainers or ()]
        self._containers = [make(container, False) for container in spec.containers]

    def _step(self, now: float) -> float | None:
        """Do what is due now; when the next thing is due."""
        if self._leaving:
            return self._leave(now)
        for run in self._initial:
            if run.process is None or run.process.code != 0:
                return run.step(now)
        dues = [run.step(now) for run in self._containers]
        return min((due for due in dues if due is not None), default=None)

    def _leave(self, now: float) -> float | None:
        dues = [run.end(now, grace(self.pod)) for run in self._all()]
        return min((due for due in dues if due is not None), default=None)

    def _done(self) -> bool:
        return self._leaving and not any(run.running for run in self._all())

    async def _report(self) -> bool:
        """Tell the API what is new; False when it did not hear it."""
        view = PodView(
            initial=[run.view() for run in self._initial],
            containers=[run.view() for run in self._containers],
            host_ips=[str(address) for address in self._home.node_addresses],
            pod_ips=tuple(map(str, self.local.addresses)) if self.local else (),
            start_time=stamp(self._started),
            terminating=self._leaving,
        )
        status = pod_status(self.pod, view, stamp(time.time()))
        if _settled(status) == _settled(self._reported):
            return True
        if not await self._home.report(self.pod, status):
            return False
        self._reported = status
        return True

    async def _tear_down(self) -> None:
        if self.local is not None:
            await self._home.detach(self.local)
            await asyncio.to_thread(link.disconnect, self.local.link.name)
        self.sandbox.stop()
        self._home.addresses.give_back(self.uid)
        while not self._withdrawn and not await self._home.gone(self.pod):
            await self.bell.heard(RETRY)
        await asyncio.to_thread(shutil.rmtree, self.directory, True)

    def command(self, container: str, argv: Sequence[str], *, tty: bool = False) -> Launch:
        """A command beside a container's program: with its environment, where it runs."""
        runs = (run.program for run in self._all() if run.spec.name == container)
        program = next(runs, None)
        env, cwd = (program.env, program.cwd) if program else ({"PATH": PATH}, "/")
        terminal = {"TERM": "xterm"} if tty else {}
        return Launch(argv=list(argv), env={**env, **terminal}, cwd=cwd, tty=tty)

    async def _execute(self, container: str, argv: list[str]) -> int:
        """A command of a probe or hook: nobody reads what it says."""
        null = os.open(os.devnull, os.O_RDWR)
        try:
            launch = self.command(container, argv)
            return await self.sandbox.execute(container, launch, [null, null, null])
        finally:
            os.close(null)


def _settled(status: dict[str, Any]) -> dict[str, Any]:
    """A status without the times of its conditions, which alone are no news."""
    conditions = [
        {key: value for key, value in condition.items() if key != "lastTransitionTime"}
        for condition in status.get("conditions", ())
    ]
    return {**status, "conditions": conditions}
