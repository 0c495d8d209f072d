"""Faults of a node's flow tables: no port is left, or no room."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from lab.errors import InputError
from lab.sandbox.place import Place
from lab.scenario.acts import Command
from lab.scenario.faults import Fault, always

REPOSITORY = Path(__file__).resolve().parents[2]


def nat_full(node: str, backend: str) -> Fault:
    """Strangers hold every port that the node could translate to, towards a pod (ADDRESS:PORT)."""

    def strike(lab: Place) -> None:
        source = lab.plan.node(node).router_ip
        if source is None:
            raise InputError(f"{node} translates nothing: choose a node of the cluster")
        _flood(node, f"translations {backend} {source}").do(lab)

    return Fault(
        f"{node} has no port left towards {backend}", strike, always(_flood(node, "clear"))
    )


def conntrack_full(node: str) -> Fault:
    """Strangers fill a node's connection table; what was used least recently is forgotten."""
    return Fault(
        f"strangers fill the connection table of {node}",
        _flood(node, "connections").do,
        always(_flood(node, "clear")),
    )


def _flood(node: str, words: str) -> Command:
    """The program that fills and empties the tables, on the node."""
    command = ["env", f"PYTHONPATH={REPOSITORY}", sys.executable, "-m", "lab.bpf.flood"]
    return Command(node, f"{shlex.join(command)} {words}")
