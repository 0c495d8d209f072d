"""A running lab as the host sees it: found by name, entered node by node."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

from lab import shell
from lab.errors import CommandError, InputError, SandboxError
from lab.sandbox.control import ask
from lab.sandbox.ending import end
from lab.sandbox.entry import Entry
from lab.sandbox.environment import environment
from lab.sandbox.rundir import (
    RunDir,
    all_run_dirs,
    is_held,
    keeper_processes,
    read_json,
    require_root,
)
from lab.shell import Result
from lab.topology.plan import NodeKind, Plan, PlannedNode

NO_SUCH_PROGRAM = 127
"""The code by which a shell, setpriv(1) and nsenter(1) tell that there is nothing to run."""


class LabNode:
    """One node of a running lab."""

    def __init__(self, lab: Lab, planned: PlannedNode) -> None:
        self.name = planned.name
        self._lab = lab
        self._planned = planned

    def __repr__(self) -> str:
        return f"<node {self.name} of lab {self._lab.name}>"

    @property
    def entry(self) -> Entry:
        """The way in, looked up anew: a node may boot. SandboxError while it is down."""
        holder = self._lab.holders().get(self.name)
        if holder is not None:
            entry = Entry.to(self._lab.name, self.name, pid1=self._lab.pid1, holder=holder)
            if entry.is_open():
                return entry
        raise SandboxError(f"node {self.name} of lab {self._lab.name} is down")

    @property
    def environment(self) -> dict[str, str]:
        return environment(self._lab.run, self._lab.plan, self._planned, os.environ)

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,
        timeout: float = shell.DEFAULT_TIMEOUT,
    ) -> Result:
        """Run a program in the node; CommandError unless it ends with code 0."""
        result = self.probe(argv, input=input, timeout=timeout)
        if not result.ok:
            raise CommandError(argv, result.code, result.err or result.out, where=self.name)
        return result

    def probe(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,
        timeout: float = shell.DEFAULT_TIMEOUT,
    ) -> Result:
        """Run a program in the node and return its result, whatever its code.

        CommandError when there is no such program: what did not run has no result. Results and
        errors tell the program's own words, not the way into the node.
        """
        try:
            result = shell.probe(
                self.entry.inside(argv), input=input, timeout=timeout, env=self.environment
            )
        except CommandError as error:
            raise CommandError(argv, error.code, error.output, where=self.name) from error
        if result.code == NO_SUCH_PROGRAM:
            raise CommandError(argv, result.code, result.err, where=self.name)
        return replace(result, argv=tuple(argv))

    @contextmanager
    def spawn(self, argv: Sequence[str]) -> Iterator[shell.Child]:
        """Keep a program running in the node for the length of a `with` block."""
        with shell.spawn(self.entry.inside(argv), env=self.environment) as child:
            yield child


class Lab:
    """A lab that somebody started, perhaps another process."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.name = run.name

    @classmethod
    def find(cls, name: str | None = None) -> Lab:
        """The running lab of that name, or the only one; InputError lists what there is."""
        require_root()
        running = [run for run in all_run_dirs() if is_held(run)]
        known = ", ".join(run.name for run in running)
        if not running:
            raise InputError("no lab is running; `lab up basic` starts one")
        if name is None:
            if len(running) > 1:
                raise InputError(f"several labs are running: {known}; choose one with --name")
            return cls(running[0])
        for run in running:
            if run.name == name:
                return cls(run)
        raise InputError(f"no lab named {name!r} is running; there are {known}")

    @cached_property
    def plan(self) -> Plan:
        return Plan.from_json(read_json(self.run.plan))

    @property
    def pid1(self) -> int:
        """PID 1 of the lab as the host sees it."""
        return keeper_processes(self.run)["pid1"]

    def holders(self) -> Mapping[str, int]:
        """The process that holds each node, as the lab sees it."""
        holders: dict[str, int] = read_json(self.run.state).get("holders", {})
        return holders

    def node(self, name: str) -> LabNode:
        """A node by name; InputError lists those there are."""
        for planned in self.plan.nodes:
            if planned.name == name:
                return LabNode(self, planned)
        known = ", ".join(node.name for node in self.plan.nodes)
        raise InputError(f"lab {self.name} has no node {name!r}; there are {known}")

    def control_node(self) -> LabNode:
        """Where kubectl and hubble run: the management node, or else the master."""
        for kind in (NodeKind.CONTROL, NodeKind.MASTER):
            for planned in self.plan.nodes:
                if planned.kind is kind:
                    return LabNode(self, planned)
        raise InputError(f"lab {self.name} ({self.plan.name}) has no cluster")

    def kubectl(self, *words: str, input: str | None = None, timeout: float = 30.0) -> Result:
        """Run kubectl on the management node; CommandError unless it succeeds."""
        return self.control_node().run(["kubectl", *words], input=input, timeout=timeout)

    def vtysh(self, node: str, command: str) -> Result:
        """Run one vtysh command on a node; CommandError unless it succeeds."""
        return self.node(node).run(["vtysh", "-c", command])

    def ask(self, do: str, *, timeout: float = 10.0, **fields: object) -> dict[str, Any]:
        """Ask the lab's supervisor for something; SandboxError when it refuses."""
        return ask(self.run.control, do, timeout=timeout, **fields)

    def end(self) -> None:
        """End the lab and return when nothing is left of it."""
        end(self.run)
