"""The process of the API server: store, controllers and web server in one event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import uvicorn

from lab.kube import controller
from lab.kube.api import Api
from lab.kube.app import App
from lab.kube.connection import Connection
from lab.kube.controller import Controller
from lab.kube.custom import DefinitionController
from lab.kube.deployment import DeploymentController
from lab.kube.endpoints import EndpointsController
from lab.kube.garbage import GarbageCollector, NamespaceController
from lab.kube.kinds import CRD, Registry
from lab.kube.kubelet_api import LEASE_GRACE
from lab.kube.nodes import NodeController
from lab.kube.replicaset import ReplicaSetController
from lab.kube.scheduler import Scheduler
from lab.kube.services import ServiceNumbers
from lab.kube.store import Change, Key, Store

Object = dict[str, Any]

API_SERVICE: Key = ("default", "kubernetes")

SERVICE_CIDR = IPv4Network("10.96.0.0/12")


@dataclass(frozen=True)
class ServerConfig:
    """Everything a server is told; the credentials' files are there already."""

    address: str
    port: int
    ca_file: Path
    key_file: Path
    token: str
    state: Path
    """The SQLite file."""
    bootstrap: Sequence[Object] = ()
    """Objects made at the first start; those that are there stay as they are."""
    extensions: Callable[[Api], Iterable[Controller]] = lambda _: ()
    """Makes the controllers that run beside Kubernetes' own."""
    service_cidr: IPv4Network = SERVICE_CIDR
    service_cidr6: IPv6Network | None = None
    """Addresses of Services in the other family; None: the cluster has one family."""
    node_ports: tuple[int, int] = (30000, 32767)
    lease_grace: float = LEASE_GRACE
    """Seconds without a renewed lease after which a node is lost."""


def main(config: ServerConfig) -> int:
    """Serve until SIGTERM; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(_serve(config))
    return 0


async def _serve(config: ServerConfig) -> None:
    config.state.parent.mkdir(parents=True, exist_ok=True)
    store = Store(config.state)
    api = build(store, config)
    app = App(api, token=config.token, address=f"{config.address}:{config.port}")
    server = uvicorn.Server(uvicorn.Config(
        app,
        host=config.address,
        port=config.port,
        ssl_certfile=str(config.ca_file),
        ssl_keyfile=str(config.key_file),
        http=Connection,
        ws="wsproto",
        loop="asyncio",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
    ))  # fmt: skip
    await server.serve()
    store.close()


def build(store: Store, config: ServerConfig) -> Api:
    """The API over a store, its bootstrap objects and its running controllers."""
    networks = [each for each in (config.service_cidr, config.service_cidr6) if each]
    numbers = ServiceNumbers(networks, config.node_ports)
    store.replay(numbers.observe)
    store.listen(numbers.observe)
    api = Api(store, Registry(), numbers)
    definitions = DefinitionController(api)
    for key in definitions.existing():
        definitions.reconcile(key)
    _bootstrap(api, definitions, config.bootstrap)
    controller.run(api, [
        definitions,
        DeploymentController(api),
        ReplicaSetController(api),
        Scheduler(api),
        EndpointsController(api),
        NodeController(api, config.lease_grace),
        GarbageCollector(api),
        NamespaceController(api),
        ApiService(api, config.bootstrap),
        *config.extensions(api),
    ])  # fmt: skip
    return api


class ApiService:
    """Keeps `default/kubernetes` there: clients find the API server by it, so it comes back."""

    def __init__(self, api: Api, objects: Sequence[Object]) -> None:
        self._api = api
        self._own = [o for o in objects if o["metadata"]["name"] == API_SERVICE[1]]

    def existing(self) -> list[Key]:
        return [API_SERVICE] if self._own else []

    def affected(self, change: Change) -> list[Key]:
        return self.existing() if change.key == API_SERVICE and change.new is None else []

    def reconcile(self, _: Key) -> None:
        for obj in self._own:
            self._api.ensure(obj)


def _bootstrap(api: Api, definitions: DefinitionController, objects: Sequence[Object]) -> None:
    for obj in objects:
        if api.ensure(obj) is CRD:
            # Objects of the new kind may follow.
            definitions.reconcile(("", obj["metadata"]["name"]))
