"""Cilium's BGP resources as the agent mirrors them, and what they make of its node's BGP."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightkube import AsyncClient
from lightkube.generic_resource import GenericGlobalResource, create_global_resource
from lightkube.resources.core_v1 import Node, Secret

from lab.agent.bgp import peering_policy, version2
from lab.agent.bgp.announce import Announced
from lab.agent.bgp.facts import Facts, Json, Pool, pool_of
from lab.agent.bgp.gateway import default_gateway, default_gateway6
from lab.agent.bgp.node_config import node_config
from lab.agent.config import AgentConfig
from lab.agent.watch import Mirror
from lab.frr.model import Bfd, BgpConfig

SECRETS = "kube-system"
PASSWORD = "password"
ROUTES, ROUTES6 = Path("/proc/net/route"), Path("/proc/net/ipv6_route")


def _kind(name: str, plural: str, version: str = "v2") -> type[GenericGlobalResource]:
    return create_global_resource("cilium.io", version, name, plural)


_POLICY = _kind("CiliumBGPPeeringPolicy", "ciliumbgppeeringpolicies", "v2alpha1")
_CLUSTER = _kind("CiliumBGPClusterConfig", "ciliumbgpclusterconfigs")
_PEER = _kind("CiliumBGPPeerConfig", "ciliumbgppeerconfigs")
_ADVERTISEMENT = _kind("CiliumBGPAdvertisement", "ciliumbgpadvertisements")
_OVERRIDE = _kind("CiliumBGPNodeConfigOverride", "ciliumbgpnodeconfigoverrides")
_POOL = _kind("CiliumLoadBalancerIPPool", "ciliumloadbalancerippools")


class BgpObjects:
    """Mirrors of the resources of both versions, with the pools and secrets they refer to."""

    def __init__(
        self, config: AgentConfig, client: AsyncClient, changed: Callable[[str], None]
    ) -> None:
        self._config = config
        self._policies = Mirror(client, _POLICY, changed)
        self._clusters = Mirror(client, _CLUSTER, changed)
        self._peers = Mirror(client, _PEER, changed)
        self._advertisements = Mirror(client, _ADVERTISEMENT, changed)
        self._overrides = Mirror(client, _OVERRIDE, changed)
        self._pools = Mirror(client, _POOL, changed)
        self._secrets = Mirror(client, Secret, changed, namespace=SECRETS)

    @property
    def mirrors(self) -> Sequence[Mirror[Any]]:
        return (
            self._policies,
            self._clusters,
            self._peers,
            self._advertisements,
            self._overrides,
            self._pools,
            self._secrets,
        )

    @property
    def in_use(self) -> bool:
        """There are cluster configurations: nodes tell how they fare."""
        return bool(self._clusters.objects)

    def compose(
        self, node: Node, services: Sequence[Announced], bfd: Bfd | None
    ) -> BgpConfig | None:
        """The node's BGP by whichever resource selects it, the newer version first; None when
        none does. Refused says what is wrong with one.
        """
        facts, resources = self._facts(node, services), self._resources()
        newer = version2.compose(resources, facts, bfd)
        return newer or peering_policy.compose(_specs(self._policies), facts, bfd)

    def node_config(self, node: Node, summary: Json, neighbors: Json) -> dict[str, Any] | None:
        """The CiliumBGPNodeConfig of this node, with what bgpd says of its peers; None when no
        cluster configuration selects it. It goes when its owner does.
        """
        facts, resources = self._facts(node, ()), self._resources()
        wanted = node_config(resources, facts, summary, neighbors)
        name = version2.selected(resources, facts)
        if wanted is None or name is None:
            return None
        meta = self._clusters.objects[name].metadata
        owner = {
            "apiVersion": "cilium.io/v2",
            "kind": version2.KIND,
            "name": name,
            "uid": meta.uid if meta else None,
            "controller": True,
        }
        wanted["metadata"]["ownerReferences"] = [owner]
        return wanted

    def find(self, kind: str, name: str) -> Any | None:
        """An object by its kind and name."""
        kinds = {version2.KIND: self._clusters, peering_policy.KIND: self._policies}
        return kinds[kind].objects.get(name) if kind in kinds else None

    def _resources(self) -> version2.Resources:
        return version2.Resources(
            clusters=_specs(self._clusters),
            peers=_specs(self._peers),
            advertisements={
                name: version2.Advertised(_labels(each), each.spec or {})
                for name, each in self._advertisements.objects.items()
            },
            overrides=_specs(self._overrides),
        )

    def _facts(self, node: Node, services: Sequence[Announced]) -> Facts:
        return Facts(
            node=self._config.node,
            address=self._config.node_ip,
            pod_cidrs=self._config.pod_cidrs,
            labels=(node.metadata.labels if node.metadata else None) or {},
            services=services,
            pools=self._pool_facts(),
            passwords=self._passwords(),
            gateway=default_gateway(ROUTES.read_text()),
            gateway6=default_gateway6(ROUTES6.read_text()) if self._config.ipv6 else None,
            annotations=(node.metadata.annotations if node.metadata else None) or {},
        )

    def _pool_facts(self) -> list[Pool]:
        return [pool_of(_labels(each), each.spec or {}) for each in self._pools.objects.values()]

    def _passwords(self) -> dict[str, str]:
        found = {}
        for each in self._secrets.objects.values():
            written = (each.data or {}).get(PASSWORD)
            if written is not None and each.metadata is not None and each.metadata.name:
                found[each.metadata.name] = base64.b64decode(written).decode()
        return found


def _specs(mirror: Mirror[GenericGlobalResource]) -> Mapping[str, Json]:
    return {name: each.spec or {} for name, each in mirror.objects.items()}


def _labels(each: GenericGlobalResource) -> Mapping[str, str]:
    return (each.metadata.labels if each.metadata else None) or {}
