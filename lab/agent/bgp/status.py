"""The state of the node's sessions, told to the cluster as its CiliumBGPNodeConfig."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx2
from lightkube import AsyncClient
from lightkube.exceptions import ApiError
from lightkube.generic_resource import create_global_resource

from lab.agent.bell import Bell
from lab.agent.bgp.objects import BgpObjects
from lab.agent.cluster import Cluster
from lab.agent.written import WrittenObjects
from lab.errors import FrrError
from lab.frr.vty import Vty

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks at bgpd."""

_KIND = create_global_resource("cilium.io", "v2", "CiliumBGPNodeConfig", "ciliumbgpnodeconfigs")


async def keep_telling(
    client: AsyncClient, cluster: Cluster, objects: BgpObjects, name: str
) -> None:
    """Until cancelled."""
    written, pause = WrittenObjects(client), Bell()
    while True:
        await pause.heard(EVERY)
        node = cluster.nodes.objects.get(name)
        if node is None or not objects.in_use:
            written.keep(())
            continue
        try:
            wanted = objects.node_config(node, *await asyncio.to_thread(_ask))
            if wanted is not None:
                await written.put(name, _KIND, wanted)
            else:
                await written.remove(name, _KIND)
        except (ApiError, FrrError, httpx2.HTTPError, httpx2.StreamError) as error:
            log.info("state of BGP: %s", error)


def _ask() -> tuple[Any, Any]:
    with Vty("bgpd") as bgpd:
        return bgpd.json("show bgp summary json"), bgpd.json("show bgp neighbors json")
