"""Which services run on which node, as data: what the supervisor asks the fork server for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from lab.kube.credentials import Credentials, credentials
from lab.sandbox.environment import environment
from lab.sandbox.fork_server import Service
from lab.sandbox.rundir import RunDir
from lab.topology.plan import Cluster, NodeKind, Plan, PlannedNode

CONTROL_PLANE = "lab.sandbox.control_plane"
NODE_SERVICES = "lab.sandbox.node_services"
"""The modules with the services' functions, and with them all code they need."""

CODE = (CONTROL_PLANE, "grpc", "lightkube", NODE_SERVICES)
"""What to import, in this order: the API server's first, since all others wait for its answers,
then the agents' in steps of a tenth of a second, between which the API server may be started."""


@dataclass(frozen=True)
class Member:
    """What every service is told: the lab, and the node it is on."""

    run: RunDir
    plan: Plan
    node: PlannedNode

    @property
    def cluster(self) -> Cluster:
        assert self.plan.cluster is not None, "a lab without a cluster runs no service"
        return self.plan.cluster

    def credentials(self) -> Credentials:
        """The cluster's secrets; made by the first call, found by all others."""
        return credentials(self.run.path, str(self.cluster.api_address), self.cluster.api_port)

    def services(self, holder: int) -> Iterator[Service]:
        """All that run on the node, in the order of their start."""
        if self.node.kind is NodeKind.MASTER:
            yield self.api_server(holder)
        yield from self.agents(holder)

    def api_server(self, holder: int) -> Service:
        return self._service("api-server", f"{CONTROL_PLANE}:api_server", "apiserver.log", holder)

    def agents(self, holder: int) -> Iterator[Service]:
        """What runs on the node beside the API server."""
        if self.node.is_kube:
            entry = f"{NODE_SERVICES}:agent"
            yield self._service(f"agent@{self.node.name}", entry, "agent.log", holder)
        if self.node.kind is NodeKind.CONTROL and self.plan.cluster is not None:
            name = "hubble-port-forward"
            entry = f"{NODE_SERVICES}:hubble_port_forward"
            yield self._service(name, entry, f"{name}.log", holder)

    def _service(self, name: str, entry: str, log: str, holder: int) -> Service:
        return Service(
            lab=self.run.name,
            name=name,
            entry=entry,
            argument=self,
            node=self.node.name,
            holder=holder,
            log=self.run.node(self.node.name) / "log" / log,
            environment=environment(self.run, self.plan, self.node, os.environ),
        )


def master(run: RunDir, plan: Plan) -> Member:
    """The node with the API server."""
    return Member(run, plan, next(n for n in plan.nodes if n.kind is NodeKind.MASTER))
