"""An API server and one process that plays all agents, in a network namespace of their own.

`python -m tests.system.kube.served DIRECTORY` runs in a fresh network namespace whose only
addresses are those of its loopback; the nodes are 127.0.0.21 and so on.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from lightkube import ApiError, AsyncClient, KubeConfig
from lightkube.resources.core_v1 import Node, Pod
from lightkube.types import PatchType

from lab.controllers import bootstrap, kubernetes, loop
from lab.kube.api import Api
from lab.kube.credentials import credentials
from lab.kube.kubelet_api import ERROR, HEADER, PORT, STDIN, STDOUT, exit_status, frame
from lab.kube.main import ServerConfig, main
from lab.operator import installation
from lab.operator.controllers import controllers
from lab.shell import run
from lab.topology.plan import Cluster, Interface, NodeKind, Plan, PlannedNode

WORKERS = ("k8s-worker1", "k8s-worker2")


def plan() -> Plan:
    """A master and two workers."""
    nodes = [_node("k8s-master1", NodeKind.MASTER, 0)]
    nodes += [_node(name, NodeKind.WORKER, n) for n, name in enumerate(WORKERS, start=1)]
    cluster = Cluster(
        api_address=IPv4Address("127.0.0.1"),
        api_port=6443,
        service_cidr=IPv4Network("10.96.0.0/12"),
        cluster_cidr=IPv4Network("10.0.0.0/16"),
        node_ports=(30000, 32767),
        vip_pool=IPv4Network("172.16.10.0/24"),
        asn=64512,
        router=IPv4Address("192.168.1.1"),
        profile="cilium-1.10",
    )
    return Plan("served", (), tuple(nodes), cluster)


def _node(name: str, kind: NodeKind, number: int) -> PlannedNode:
    address = IPv4Interface(f"127.0.0.{20 + number}/8")
    leg = Interface("eth0", "nodes", address, f"02:00:00:00:00:{number:02x}")
    return PlannedNode(name, kind, (leg,), pod_cidr=IPv4Network(f"10.0.{number}.0/24"))


class Agents:
    """Every pod that is bound runs at once; every pod that is deleted is gone at once."""

    def __init__(self, directory: Path) -> None:
        config = KubeConfig.from_file(directory / "kubeconfig")
        self._client = AsyncClient(config)
        self._last_address = 1

    async def run(self) -> None:
        await asyncio.start_server(_kubelet, "127.0.0.21", PORT)
        await asyncio.start_server(_kubelet, "127.0.0.22", PORT)
        for name in ("k8s-master1", *WORKERS):
            ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
            patch = {"status": {"conditions": [ready]}}
            await self._client.patch(Node.Status, name, patch, patch_type=PatchType.STRATEGIC)
        async for operation, pod in self._client.watch(Pod, namespace="*"):
            assert pod.metadata and pod.spec and pod.status and pod.metadata.name
            if operation == "DELETED" or not pod.spec.nodeName:
                continue
            try:
                await self._follow(pod)
            except ApiError as error:
                if error.status.code != HTTPStatus.NOT_FOUND:  # else the pod is gone meanwhile
                    raise

    async def _follow(self, pod: Any) -> None:
        meta = pod.metadata
        if meta.deletionTimestamp:
            await self._client.delete(Pod, meta.name, namespace=meta.namespace, grace_period=0)
        elif pod.status.phase == "Pending":
            await self._start(pod)

    async def _start(self, pod: Any) -> None:
        self._last_address += 1
        then = "2024-01-01T00:00:00Z"
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": then}
        containers = [
            {"name": c.name, "image": c.image, "imageID": "", "ready": True, "restartCount": 0,
             "started": True, "state": {"running": {"startedAt": then}}}
            for c in pod.spec.containers
        ]  # fmt: skip
        body = {
            "phase": "Running",
            "podIP": f"10.0.1.{self._last_address}",
            "conditions": [ready],
            "containerStatuses": containers,
        }
        meta = pod.metadata
        await self._client.patch(
            Pod.Status,
            meta.name,
            {"status": body},
            namespace=meta.namespace,
            patch_type=PatchType.STRATEGIC,
        )


async def _kubelet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Logs tell the path that was asked for; exec repeats its input and ends with code 3."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    path = head.split()[1]
    if head.startswith("GET"):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + f"log of {path}\n".encode())
    else:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        while "stdin=true" in path:
            channel, length = HEADER.unpack(await reader.readexactly(HEADER.size))
            data = await reader.readexactly(length)
            if channel != STDIN:
                break
            writer.write(frame(STDOUT, data.upper()))
        writer.write(frame(STDOUT, f"ran {path}\n".encode()))
        writer.write(frame(ERROR, json.dumps(exit_status(3)).encode()))
    await writer.drain()
    writer.close()


def start_controllers(api: Api) -> None:
    loop.run(api, [*kubernetes.controllers(api), *controllers(api, installation.ARTICLE)])


def serve(directory: Path) -> int:
    """The API server; a second process that ends with it plays the agents."""
    run(["ip", "link", "set", "lo", "up"])
    secrets = credentials(directory, "127.0.0.1")
    return main(
        ServerConfig(
            address="127.0.0.1",
            port=6443,
            ca_file=secrets.ca_file,
            key_file=secrets.key_file,
            token=secrets.token,
            state=directory / "state.db",
            bootstrap=[*bootstrap.objects(plan()), *installation.objects(plan())],
            beside=start_controllers,
        )
    )


if __name__ == "__main__":
    where = Path(sys.argv[1])
    if sys.argv[2] == "agents":
        asyncio.run(Agents(where).run())
    else:
        sys.exit(serve(where))
    os._exit(0)
