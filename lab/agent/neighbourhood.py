"""Who is where, kept in the node's maps and routes: nodes, pods, and the pods of this node."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from lab.agent.cluster import Cluster
from lab.agent.config import AgentConfig
from lab.agent.flows.lookup import Directory
from lab.agent.identity import labels_of, number_of
from lab.agent.maps import NodeMaps
from lab.agent.places import (
    ENDPOINTS,
    IPCACHE,
    Entries,
    NodePlace,
    endpoint_key,
    endpoints,
    ipcache,
    node_places,
    route_commands,
    routes,
)
from lab.agent.pods.local import LocalPod
from lab.agent.services.table import Operation
from lab.bpf import structs
from lab.bpf.codes import Identity
from lab.bpf.layout import Address, Network
from lab.shell import run


class Neighbourhood:
    """Follows the mirrors of nodes and pods; `pods` are those of this node, by uid."""

    def __init__(
        self,
        config: AgentConfig,
        cluster: Cluster,
        maps: NodeMaps,
        directory: Directory,
        *,
        tunnel: bool,
    ) -> None:
        self.pods: dict[str, LocalPod] = {}
        self.settled = False
        """The maps and routes lead to every node: before, a backend elsewhere is out of reach."""
        self._config = config
        self._cluster = cluster
        self._maps = maps
        self._directory = directory
        self._tunnel = tunnel
        side = config.ipv6
        self._me = NodePlace(
            config.node,
            config.node_ip,
            config.pod_cidr,
            side.node_ip if side else None,
            side.pod_cidr if side else None,
        )
        self._held = {name: maps.read(name) for name in (IPCACHE, ENDPOINTS)}
        self._routes: dict[Network, Address] = {}

    def settle_local(self) -> None:
        """Bring the entries of this node's own addresses up to date."""
        self._write(ENDPOINTS, endpoints(self._me, self.pods.values(), self._identity))

    async def settle(self) -> None:
        """Bring everything up to date; what is not known yet is left as it is."""
        if not self._cluster.places_complete:
            return
        nodes = node_places(self._cluster.nodes.objects.values())
        pods = self._cluster.pods.objects.values()
        self.settle_local()
        self._write(IPCACHE, ipcache(self._me.name, nodes, pods, tunnel=self._tunnel))
        self._directory.set_places(self._me.name, nodes, pods, self.pods.values())
        if not self._tunnel:
            await self._write_routes(routes(self._me, nodes))
        self.settled = True

    def _identity(self, local: LocalPod) -> int:
        """By the pod's labels; while its object is not known, what the map says already."""
        pod = self._cluster.pods.objects.get(f"{local.namespace}/{local.name}")
        if pod is not None:
            return number_of(labels_of(pod))
        held = self._held[ENDPOINTS].get(endpoint_key(local))
        return structs.endpoint_info.parse(held).sec_id if held else Identity.INIT

    def _write(self, name: str, wanted: Entries) -> None:
        held = self._held[name]
        operations = [
            *(Operation(name, k, value) for k, value in wanted.items() if held.get(k) != value),
            *(Operation(name, k, None) for k in held.keys() - wanted.keys()),
        ]
        self._maps.carry_out(operations)
        self._held[name] = wanted

    async def _write_routes(self, wanted: Mapping[Network, Address]) -> None:
        """Over the uplink; through the tunnel, one route of the datapath leads to all pods."""
        lines = route_commands(self._routes, wanted, self._config.uplink)
        if lines:
            await asyncio.to_thread(run, ["ip", "-batch", "-"], input="\n".join(lines) + "\n")
            self._routes = dict(wanted)
