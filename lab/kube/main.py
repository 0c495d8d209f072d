"""The process of the API server: store, web server and what is put beside it, in one event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import uvicorn

from lab.kube import custom
from lab.kube.api import Api
from lab.kube.app import App
from lab.kube.kinds import Registry
from lab.kube.rules.service_numbers import ServiceNumbers
from lab.kube.store import Store
from lab.kube.wire.connection import Connection

Object = dict[str, Any]

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
    beside: Callable[[Api], None] = lambda _: None
    """Starts the controllers, which run in the server's event loop."""
    service_cidr: IPv4Network = SERVICE_CIDR
    service_cidr6: IPv6Network | None = None
    """Addresses of Services in the other family; None: the cluster has one family."""
    node_ports: tuple[int, int] = (30000, 32767)


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
    """The API over a store, with its bootstrap objects and the controllers beside it."""
    networks = [each for each in (config.service_cidr, config.service_cidr6) if each]
    numbers, registry = ServiceNumbers(networks, config.node_ports), Registry()
    for listener in (numbers.observe, custom.into(registry)):
        store.replay(listener)
        store.listen(listener)
    api = Api(store, registry, numbers)
    for obj in config.bootstrap:
        api.ensure(obj)
    config.beside(api)
    return api
