"""What has to happen until a lab is up, as a table of phases; imported in the supervisor only."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from lab.emulation.build import build
from lab.emulation.routing import start_routing
from lab.errors import InputError
from lab.kube.credentials import Credentials, credentials
from lab.sandbox.cluster import agent, api_server
from lab.sandbox.control import Handler
from lab.sandbox.environment import write_commands
from lab.sandbox.phases import Phase
from lab.sandbox.readiness import ApiReader, wait_ready
from lab.sandbox.supervisor import Site
from lab.topology.plan import Cluster, NodeKind


def phases(site: Site) -> Sequence[Phase]:
    """The table for a lab: a network with routing, and a cluster on it if its plan has one.

    `aside` phases overlap with those in the main thread: code is imported and secrets are made
    while the network is built, the API server starts while FRR does.
    """
    network = (
        Phase("network", lambda: _build(site)),
        Phase("routing", lambda: _route(site), after=("network",)),
    )
    if site.plan.cluster is None:
        return network
    cluster = _ClusterStart(site, site.plan.cluster)
    build_network, route = network
    return (
        Phase("code", site.services.wait_loaded, aside=True),
        Phase("credentials", cluster.make_credentials, aside=True),
        build_network,
        Phase("api server", cluster.start_api, after=("code", "credentials", "network")),
        Phase("agents", cluster.start_agents, after=("api server",)),
        route,
        Phase("nodes ready", cluster.wait_nodes, after=("agents", "routing")),
    )


def handlers(site: Site) -> Mapping[str, Handler]:
    """What a running lab can be asked to do to itself."""

    def stop_service(request: Mapping[str, Any]) -> Mapping[str, Any]:
        """End a service for good, by SIGKILL when `hard`."""
        hard = bool(request.get("hard"))
        site.services.stop(_text(request, "name"), signal.SIGKILL if hard else signal.SIGTERM)
        return {}

    def start_service(request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Start a stopped service again."""
        site.services.resume(_text(request, "name"))
        return {}

    return {"stop-service": stop_service, "start-service": start_service}


def _text(request: Mapping[str, Any], field: str) -> str:
    value = request.get(field)
    if not isinstance(value, str):
        raise InputError(f"the request needs {field!r}, a string")
    return value


def _build(site: Site) -> None:
    write_commands(site.run)
    site.holders.update(
        build(site.plan, site.run.path, lambda words: site.note("network", words))
    )


def _route(site: Site) -> None:
    start_routing(site.plan, site.run.path, site.holders)


class _ClusterStart:
    """The phases that only a lab with a cluster has."""

    def __init__(self, site: Site, cluster: Cluster) -> None:
        self._site = site
        self._cluster = cluster
        self._credentials: Credentials | None = None

    def make_credentials(self) -> None:
        address = str(self._cluster.api_address)
        self._credentials = credentials(self._site.run.path, address, self._cluster.api_port)

    def start_api(self) -> None:
        assert self._credentials is not None
        master = next(n for n in self._site.plan.nodes if n.kind is NodeKind.MASTER)
        self._site.services.start(
            api_server(self._site.run, self._site.plan, self._credentials, self._site.holders)
        )
