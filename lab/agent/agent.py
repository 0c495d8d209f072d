"""The agent's loop: what changed in the API goes, level-triggered, to the node's own state.

Each part is settled by a loop of its own that a bell wakes: services into the maps, then the
VIPs to the BGP speaker; nodes and pods into the maps and routes; pods to their workers. What
fails is tried again; an error that nobody foresaw ends the process, and a new agent starts over
from what the kernel and FRR hold.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, Protocol

from lightkube import AsyncClient
from lightkube.resources.core_v1 import ConfigMap, Node, Pod, Service
from lightkube.resources.discovery_v1 import EndpointSlice

from lab.agent.bell import Bell
from lab.agent.bgp import metallb_config
from lab.agent.bgp.announcing import Announcing
from lab.agent.bgp.metrics import BgpMetrics
from lab.agent.bgp.objects import BgpObjects
from lab.agent.bgp.status import keep_telling
from lab.agent.cilium_objects import CiliumObjects
from lab.agent.cluster import BGP_CONFIG, Cluster
from lab.agent.complaints import Complaints
from lab.agent.config import AgentConfig
from lab.agent.flows.lookup import Directory
from lab.agent.maps import NodeMaps
from lab.agent.neighbourhood import Neighbourhood
from lab.agent.node_status import keep_reporting
from lab.agent.places import NodePlace, node_places
from lab.agent.pods.kubelet import Kubelet
from lab.agent.pods.local import LocalPod
from lab.agent.profile import Profile
from lab.agent.refused import Refused
from lab.agent.services import mistakes
from lab.agent.services.balancing import Balancing
from lab.agent.services.health_ports import HealthPorts, wanted_ports
from lab.agent.services.model import Address
from lab.agent.services.translate import Place
from lab.errors import LabError

log = logging.getLogger(__name__)

RETRY = 0.2
"""Seconds until a part that failed is settled again."""
HEAVY = 0.004
"""Seconds of settling from which on a part rests before it looks again."""
REST, LONGEST_REST = 1.0, 0.1
"""Times as long as settling took, and at most so many seconds: each for every node of the cluster,
since the agents of a lab share one machine."""
BGP_LOOK = 0.5
"""Seconds between two looks whether bgpd was started anew."""


class Programs(Protocol):
    """The loaded datapath, as the agent uses it."""

    @property
    def mtu(self) -> int:
        """Of the node's uplink."""
        ...

    @property
    def pod_mtu(self) -> int:
        """Largest packet that fits through the tunnel."""
        ...

    def attach(self, pod: LocalPod) -> None:
        """Attach the programs to a pod's link."""
        ...


class FlowKeeper(Protocol):
    """The flow log, as the agent tells it who is who."""

    @property
    def directory(self) -> Directory: ...

    def set_nodes(self, nodes: Sequence[NodePlace]) -> None: ...


class Agent:
    """One node's agent, over a datapath that is loaded already."""

    def __init__(
        self,
        config: AgentConfig,
        profile: Profile,
        client: AsyncClient,
        programs: Programs,
        flow_log: FlowKeeper,
        bgp_metrics: BgpMetrics,
    ) -> None:
        maps = NodeMaps(address.version for address in config.node_addresses)
        self._config = config
        self._maps = maps
        self._client = client
        self._programs = programs
        self._flow_log = flow_log
        self._services, self._places, self._bgp, self._pods = Bell(), Bell(), Bell(), Bell()
        self.cluster = Cluster(client, self._changed)
        place = Place(config.node, config.node_addresses, profile)
        self._complaints = Complaints(client, config.node, self._refused)
        self._balancing = Balancing(self.cluster, maps, place, self._complaints)
        self._neighbourhood = Neighbourhood(
            config, self.cluster, maps, flow_log.directory, tunnel=profile.tunnel
        )
        self._bgp_objects = (
            BgpObjects(config, client, lambda _: self._bgp.ring()) if profile.cilium_bgp else None
        )
        self._announcing = Announcing(
            config,
            self.cluster,
            profile,
            self._served,
            self._bgp_objects,
            self._complaints,
            bgp_metrics,
        )
        self._health_ports = HealthPorts(each.version for each in config.node_addresses)
        self.kubelet = Kubelet(config, client, self, mtu=programs.mtu, route_mtu=programs.pod_mtu)
        self._cilium_objects = CiliumObjects(config, client, self._inhabitants)
        self._neighbourhood.pods = {pod.uid: pod for pod in self.kubelet.found()}
        self._swept = False
        self._may_be_stale = False
        """Some of the node's sockets may have a backend that is gone."""
        self._ends_stale_sockets = profile.ends_stale_sockets

    async def run(self) -> None:
        """Until cancelled. An error that is not a LabError ends it."""
        self._neighbourhood.settle_local()
        self._cilium_objects.bell.ring()
        await asyncio.gather(
            *(mirror.run() for mirror in self.cluster.mirrors),
            *self._bgp_tasks(),
            self._loop("services", self._services, self._settle_services),
            self._loop("places", self._places, self._settle_places),
            self._loop("bgp", self._bgp, self._announcing.settle, at_least_every=BGP_LOOK),
            self._loop("pods", self._pods, self._settle_pods),
            keep_reporting(self._client, self._config.node),
            self._cilium_objects.run(),
            self.kubelet.events.run(),
            self._complaints.run(),
        )

    async def attach(self, pod: LocalPod) -> None:
        """Serve a pod of this node: programs on its link, its address in the maps."""
        self._neighbourhood.pods[pod.uid] = pod
        # The entry before the programs: they answer the pod's first ARP request from it.
        self._neighbourhood.settle_local()
        self._programs.attach(pod)
        self._cilium_objects.bell.ring()
        self._places.ring()

    async def detach(self, pod: LocalPod) -> None:
        """Forget a pod of this node."""
        self._neighbourhood.pods.pop(pod.uid, None)
        self._neighbourhood.settle_local()
        self._places.ring()

    def _changed(self, kind: type, key: str) -> None:
        if kind in (Service, EndpointSlice):
            if key:
                self._balancing.note(key)
            self._services.ring()
        elif kind is Pod:
            self._pods.ring()
            self._places.ring()
        elif kind is Node:
            self._places.ring()
            self._bgp.ring()
        elif kind is ConfigMap:
            self._bgp.ring()

    async def _settle_services(self) -> None:
        self._may_be_stale |= self._balancing.settle()
        self._bgp.ring()
        services = self.cluster.services.objects.values()
        self._flow_log.directory.set_services(services)
        await self._health_ports.set(
            wanted_ports(services, self.cluster.slices_of, self._config.node)
        )
        if self._ends_stale_sockets and self._may_be_stale:
            await self._end_stale_sockets()

    async def _end_stale_sockets(self) -> None:
        for ended in await asyncio.to_thread(self._maps.end_stale_sockets):
            log.info("UDP socket %s ended: its backend %s is gone", ended.own, ended.peer)
        self._may_be_stale = False

    def _served(self) -> set[Address] | None:
        """Addresses of services that this node can serve: balanced by its maps, with the ways to
        all nodes' pods known to the kernel. None while either is not.
        """
        return self._balancing.served() if self._neighbourhood.settled else None

    async def _settle_places(self) -> None:
        before = self._neighbourhood.settled
        await self._neighbourhood.settle()
        if self._neighbourhood.settled != before:
            self._bgp.ring()
        self._flow_log.set_nodes(node_places(self.cluster.nodes.objects.values()))

    def _refused(self, refused: Refused) -> Any | None:
        """The object that a complaint is about."""
        if refused.kind == mistakes.KIND:
            return self.cluster.services.objects.get(refused.name)
        if refused.kind == metallb_config.KIND:
            return self.cluster.config_maps.objects.get(BGP_CONFIG)
        return self._bgp_objects.find(refused.kind, refused.name) if self._bgp_objects else None

    def _bgp_tasks(self) -> Iterator[Coroutine[None, None, None]]:
        """What follows Cilium's BGP resources, where they are heeded."""
        if self._bgp_objects is None:
            return
        yield from (mirror.run() for mirror in self._bgp_objects.mirrors)
        yield keep_telling(self._client, self.cluster, self._bgp_objects, self._config.node)

    def _inhabitants(self) -> list[tuple[Pod, LocalPod]]:
        workers = self.kubelet.workers.values()
        return [(each.pod, each.local) for each in workers if each.local is not None]

    async def _settle_pods(self) -> None:
        if not self.cluster.pods.complete:
            return
        pods = self.cluster.pods.objects.values()
        if not self._swept:
            await self.kubelet.sweep(pods)
            self._swept = True
        self.kubelet.reconcile(pods)

    async def _loop(
        self,
        what: str,
        bell: Bell,
        settle: Callable[[], Awaitable[None]],
        *,
        at_least_every: float | None = None,
    ) -> None:
        """Settle a part whenever its bell rings, and again soon after a failure.

        A single change is settled at once. Of a storm of changes the loop takes in more the longer
        settling takes, so that a thousand services cost as little of the node as one.
        """
        wait, said, rest = at_least_every, "", Bell()
        while True:
            await bell.heard(wait)
            began = time.monotonic()
            try:
                await settle()
                wait, said = at_least_every, ""
            except LabError as error:
                if str(error) != said:
                    log.warning("%s: %s", what, error)
                wait, said = RETRY, str(error)
            took = time.monotonic() - began
            if took > HEAVY:
                nodes = len(self.cluster.nodes.objects)
                await rest.heard(nodes * min(took * REST, LONGEST_REST))
