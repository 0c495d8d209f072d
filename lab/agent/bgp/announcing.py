"""The node's BGP speaker kept in line with the cluster's objects and with what the node serves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from lab.agent.bgp import metallb, metallb_config, peering_policy, version2
from lab.agent.bgp.announce import announced
from lab.agent.bgp.metallb_config import Settings
from lab.agent.bgp.metrics import BgpMetrics
from lab.agent.bgp.objects import BgpObjects
from lab.agent.cluster import BGP_CONFIG, Cluster
from lab.agent.complaints import Complaints
from lab.agent.config import AgentConfig
from lab.agent.profile import Profile
from lab.agent.refused import Refused
from lab.agent.services.model import Address, Kind
from lab.errors import FrrError
from lab.frr.model import Bfd, BgpConfig
from lab.frr.speaker import Speaker
from lab.frr.vty import DIRECTORY

log = logging.getLogger(__name__)


class Announcing:
    """Applies a configuration when it changed, or when bgpd is another one than before.

    Cilium's own resources are heeded where there are any (`objects`); a node that none of them
    selects follows MetalLB's ConfigMap. An object with a mistake changes nothing: FRR goes on as
    it is, and the object's events tell why.
    """

    def __init__(
        self,
        config: AgentConfig,
        cluster: Cluster,
        profile: Profile,
        served: Callable[[], Collection[Address] | None],
        objects: BgpObjects | None,
        complaints: Complaints,
        metrics: BgpMetrics,
    ) -> None:
        self._config = config
        self._cluster = cluster
        self._profile = profile
        self._served = served
        self._objects = objects
        self._complaints = complaints
        self._metrics = metrics
        self._speaker = Speaker()
        self._applied: BgpConfig | None = None
        self._daemon = 0
        self._read: tuple[str, Settings] = ("", Settings())
        self._bfd = bfd_option(config.options.get("bfd", ""))

    async def settle(self) -> None:
        """Bring FRR up to date; FrrError when it cannot be.

        Nothing is done before all objects are known and the maps hold the services: until then
        FRR goes on announcing what an earlier agent told it.
        """
        served = self._served()
        if not self._complete or served is None:
            return
        try:
            wanted = self.wanted(served)
            self._complaints.settled(version2.KIND, peering_policy.KIND)
        except Refused as refused:
            self._complaints.about(refused)
            if self._applied is None:
                return
            wanted = self._applied
        daemon = _generation(DIRECTORY / "bgpd.vty")
        if (wanted, daemon) == (self._applied, self._daemon) and not self._speaker.untidy:
            return
        await self._apply(wanted)
        self._applied, self._daemon = wanted, daemon

    async def _apply(self, wanted: BgpConfig) -> None:
        began = time.monotonic()
        try:
            commands = await asyncio.to_thread(self._speaker.apply, wanted)
        except FrrError:
            self._metrics.failed(wanted.asn)
            raise
        self._metrics.reconciled(wanted.asn, time.monotonic() - began)
        for command in commands:
            log.info("frr: %s", command)

    @property
    def _complete(self) -> bool:
        mirrors = [*self._cluster.mirrors, *(self._objects.mirrors if self._objects else ())]
        return all(mirror.complete for mirror in mirrors)

    def wanted(self, served: Collection[Address]) -> BgpConfig:
        """The node's BGP as the objects have it now, with the VIPs that the maps balance.

        Refused when the object that selects the node has a mistake.
        """
        six = self._config.ipv6
        return replace(self._composed(served), address6=six.node_ip if six else None)

    def _composed(self, served: Collection[Address]) -> BgpConfig:
        """What Cilium's own resources say of the node, or else MetalLB's ConfigMap."""
        node = self._cluster.nodes.objects.get(self._config.node)
        found = announced(
            self._cluster.services.objects.values(),
            self._cluster.all_slices(),
            node,
            self._profile,
            served,
            # Only Cilium's own resources announce more, and looking at every service takes time.
            kinds=tuple(Kind) if self._objects else (Kind.LOAD_BALANCER,),
        )
        if node is not None and self._objects is not None:
            config = self._objects.compose(node, found, self._bfd)
            if config is not None:
                return config
        labels = (node.metadata.labels if node and node.metadata else None) or {}
        return metallb.compose(
            self._settings(), found, node_ip=self._config.node_ip, labels=labels, bfd=self._bfd
        )

    def _settings(self) -> Settings:
        """Those of the ConfigMap; a broken one is reported, and the last good one stays."""
        found = self._cluster.config_maps.objects.get(BGP_CONFIG)
        text = ((found.data or {}) if found else {}).get("config.yaml", "")
        if text != self._read[0]:
            try:
                self._read = text, metallb_config.parse(text)
                self._complaints.settled(metallb_config.KIND)
            except Refused as refused:
                self._complaints.about(refused)
                self._read = text, self._read[1]
        return self._read[1]


def bfd_option(text: str) -> Bfd | None:
    """The cluster's option `bfd`, such as `3x50`: packets missed x milliseconds."""
    if not text:
        return None
    multiplier, _, interval = text.partition("x")
    return Bfd(int(multiplier), int(interval))


def _generation(socket: Path) -> int:
    """Which bgpd this is: another one makes its socket anew. 0 while there is none."""
    try:
        facts = socket.stat()
    except FileNotFoundError:
        return 0
    return facts.st_ino << 32 ^ facts.st_mtime_ns
