"""The node's own word to the API: that it is ready, what it is, that it still lives."""

from __future__ import annotations

import logging
import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx2
from lightkube import AsyncClient
from lightkube.exceptions import ApiError
from lightkube.models.coordination_v1 import LeaseSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import Node
from lightkube.types import PatchType

from lab.agent.bell import Bell
from lab.kube.discovery.version import SERVER_VERSION
from lab.kube.kubelet_api import LEASE_PERIOD

log = logging.getLogger(__name__)

NAMESPACE = "kube-node-lease"

_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID"),
    ("NetworkUnavailable", "False", "CiliumIsUp"),
    ("Ready", "True", "KubeletReady"),
)


async def keep_reporting(client: AsyncClient, node: str) -> None:
    """Report the node ready, then renew its lease for ever."""
    pause, reported = Bell(), False
    while True:
        gap = LEASE_PERIOD
        try:
            await _renew(client, node)
            if not reported:
                await client.patch(Node.Status, node, status(node), patch_type=PatchType.STRATEGIC)
                reported = True
                log.info("node %s reported ready", node)
        except ApiError as error:
            log.warning("node status: %s", error.status.message)
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            log.info("node status: %s", error)
            # The API server may be away for a moment only; when it is back, so is the node.
            gap, reported = LEASE_PERIOD / 20, False
        await pause.heard(gap)


def status(node: str) -> dict[str, Any]:
    """A patch of the node's status, as a kubelet writes it."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = [
        {
            "type": kind,
            "status": holds,
            "reason": reason,
            "message": _message(reason),
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        for kind, holds, reason in _CONDITIONS
    ]
    return {"metadata": {"name": node}, "status": {"conditions": conditions, "nodeInfo": _info()}}


def _message(reason: str) -> str:
    if reason == "KubeletReady":
        return "kubelet is posting ready status"
    return reason


def _info() -> dict[str, str]:
    return {
        "kubeletVersion": SERVER_VERSION,
        "kubeProxyVersion": "",
        "containerRuntimeVersion": "lab://1",
        "kernelVersion": platform.release(),
        "osImage": _os_name(),
        "operatingSystem": "linux",
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(
            platform.machine(), platform.machine()
        ),
        "bootID": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "machineID": "",
        "systemUUID": "",
    }


def _os_name() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip('"')
    return "Linux"


async def _renew(client: AsyncClient, node: str) -> None:
    spec = LeaseSpec(
        holderIdentity=node,
        leaseDurationSeconds=int(LEASE_PERIOD * 4),
        renewTime=datetime.now(timezone.utc),
    )
    lease = Lease(metadata=ObjectMeta(name=node, namespace=NAMESPACE), spec=spec)
    try:
        await client.patch(Lease, node, lease, namespace=NAMESPACE, patch_type=PatchType.MERGE)
    except ApiError as error:
        if error.status.code != 404:
            raise
        await client.create(lease)
