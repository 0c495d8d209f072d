"""CiliumNode and CiliumEndpoint: what the agent tells the cluster of its node and its pods.

For people and their tools (`kubectl get ciliumendpoints`): agents here learn of each other's pods
from the pods themselves. So they are written after a moment, and nothing waits for them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import httpx2
from lightkube import AsyncClient
from lightkube.exceptions import ApiError
from lightkube.generic_resource import create_global_resource, create_namespaced_resource
from lightkube.resources.core_v1 import Pod

from lab.agent.bell import Bell
from lab.agent.config import AgentConfig
from lab.agent.identity import labels_of, number_of
from lab.agent.pods.local import LocalPod
from lab.agent.written import WrittenObjects

log = logging.getLogger(__name__)

Json = dict[str, Any]

MOMENT = 0.5
RETRY = 2.0
"""Seconds."""

_NODE = create_global_resource("cilium.io", "v2", "CiliumNode", "ciliumnodes")
_ENDPOINT = create_namespaced_resource("cilium.io", "v2", "CiliumEndpoint", "ciliumendpoints")

Inhabitant = tuple[Pod, LocalPod]


class CiliumObjects:
    """Writes one object for the node and one for each of its pods; ring `bell` when they change.

    An endpoint goes with the pod that owns it: the API server's garbage collector sees to that.
    """

    def __init__(
        self, config: AgentConfig, client: AsyncClient, pods: Callable[[], Iterable[Inhabitant]]
    ) -> None:
        self.bell = Bell()
        self._config = config
        self._pods = pods
        self._written = WrittenObjects(client)

    async def run(self) -> None:
        """Until cancelled."""
        pause = Bell()
        again: float | None = None
        while True:
            await self.bell.heard(again)
            await pause.heard(MOMENT)
            try:
                await self._settle()
                again = None
            except (ApiError, httpx2.HTTPError, httpx2.StreamError) as error:
                log.info("Cilium's objects: %s", error)
                again = RETRY

    async def _settle(self) -> None:
        await self._written.put(self._config.node, _NODE, node_object(self._config))
        inhabitants = list(self._pods())
        for pod, local in inhabitants:
            await self._written.put(local.uid, _ENDPOINT, endpoint_object(pod, local, self._config))
        self._written.keep({local.uid for _, local in inhabitants} | {self._config.node})


def node_object(config: AgentConfig) -> Json:
    """The CiliumNode of this node."""
    return {
        "metadata": {"name": config.node},
        "spec": {
            "addresses": [
                {"type": "InternalIP", "ip": str(config.node_ip)},
                {"type": "CiliumInternalIP", "ip": str(config.router_ip)},
            ],
            "ipam": {"podCIDRs": [str(config.pod_cidr)]},
        },
    }


def endpoint_object(pod: Pod, local: LocalPod, config: AgentConfig) -> Json:
    """The CiliumEndpoint of a pod."""
    labels = labels_of(pod)
    owner = {"apiVersion": "v1", "kind": "Pod", "name": local.name, "uid": local.uid}
    return {
        "metadata": {
            "name": local.name,
            "namespace": local.namespace,
            "ownerReferences": [owner],
        },
        "status": {
            "id": local.endpoint_id,
            "identity": {"id": number_of(labels), "labels": list(labels)},
            "networking": {
                "addressing": [{"ipv4": str(local.address)}],
                "node": str(config.node_ip),
            },
            "state": "ready",
        },
    }
