"""What scenarios and faults need of a running lab; `lab.sandbox.handle` provides it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from lab.shell import Child, Result
from lab.topology.plan import Plan


class Node(Protocol):
    """One machine of the lab."""

    def run(self, argv: Sequence[str], *, input: str | None = None, timeout: float = 30) -> Result:
        """Run a program in the node; CommandError unless it ends with code 0."""

    def probe(
        self, argv: Sequence[str], *, input: str | None = None, timeout: float = 30
    ) -> Result:
        """Run a program in the node and return its result, whatever its code.

        CommandError when there is no such program.
        """

    def spawn(self, argv: Sequence[str]) -> AbstractContextManager[Child]:
        """Keep a program running in the node for the length of a `with` block."""


class Place(Protocol):
    """A running lab, entered node by node."""

    @property
    def plan(self) -> Plan: ...

    def node(self, name: str) -> Node: ...

    def ask(self, do: str, *, timeout: float = 10.0, **fields: object) -> dict[str, Any]:
        """Ask the lab's supervisor for something; SandboxError when it refuses."""
