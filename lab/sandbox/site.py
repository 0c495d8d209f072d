"""What the phases of a bring-up and the faults of a running lab work on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lab.errors import SandboxError
from lab.sandbox.rundir import RunDir, write_json
from lab.sandbox.services import Services
from lab.topology.plan import Plan

if TYPE_CHECKING:
    from lab.emulation.running import Nodes


class Site:
    """One lab from the inside: its plan and, as they come up, its nodes and services."""

    def __init__(self, run: RunDir, plan: Plan, services: Services, began: float) -> None:
        self.run = run
        self.plan = plan
        self.services = services
        self.began = began
        """Seconds since the epoch."""
        self.state = "starting"
        """Then `ready` or `failed`."""
        self._network: Nodes | None = None

    @property
    def network(self) -> Nodes:
        """The running nodes; SandboxError before they are built."""
        if self._network is None:
            raise SandboxError(f"the network of lab {self.run.name} is not built yet")
        return self._network

    @network.setter
    def network(self, nodes: Nodes) -> None:
        self._network = nodes
        self.save()

    def holders(self) -> Mapping[str, int]:
        """The process that holds each node, as the lab sees it; a node that boots gets another."""
        return {} if self._network is None else dict(self._network)

    def enter_state(self, state: str) -> None:
        self.state = state
        self.save()

    def save(self) -> None:
        """Write down what the host needs to find its way into the nodes."""
        holders = self.holders()
        write_json(self.run.state, {"state": self.state, "began": self.began, "holders": holders})
