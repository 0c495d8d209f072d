"""What programs find in their environment when they run in a node."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping

from lab.repository import REPOSITORY
from lab.sandbox.rundir import RunDir
from lab.topology.plan import NodeKind, Plan, PlannedNode

SYSTEM_PATH = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    "/usr/lib/frr",
)

COMMANDS = {"cilium": "lab.agent.cilium", "hubble": "lab.hubble"}
"""Commands of the lab's own that every node has, and the modules they run."""

OBSERVER = "unix:///run/cilium/hubble.sock"
"""Where a node's agent serves its own flows, as it does in Cilium's pods."""

RELAY_WITHIN = "30s"
"""What the hubble command waits for the relay: its pod starts when the lab is up already."""


def environment(
    run: RunDir, plan: Plan, node: PlannedNode, callers: Mapping[str, str]
) -> dict[str, str]:
    """The caller's variables with the node's own over them."""
    own = {
        "PATH": _path(run, callers.get("PATH", "")),
        "HOME": str(run.home),
        "LAB": run.name,
        "LAB_NODE": node.name,
    }
    if plan.cluster is not None and node.kind in (NodeKind.CONTROL, NodeKind.MASTER):
        own["KUBECONFIG"] = str(run.kubeconfig)
    if node.is_kube:
        own["HUBBLE_SERVER"] = OBSERVER
    if plan.cluster is not None and node.kind is NodeKind.CONTROL:
        own["HUBBLE_TIMEOUT"] = RELAY_WITHIN
    return {**callers, **own}


def _path(run: RunDir, callers: str) -> str:
    """The lab's commands, the system's, then what only the caller knows (a kubectl of theirs)."""
    places = [str(run.bin), *SYSTEM_PATH]
    return ":".join([*places, *(p for p in callers.split(":") if p and p not in places)])


def write_commands(run: RunDir) -> None:
    """Put the lab's own commands where every node has them first on its PATH."""
    for name, module in COMMANDS.items():
        script = run.bin / name
        script.write_text(
            "#!/bin/sh\n"
            f"PYTHONPATH={shlex.quote(str(REPOSITORY))} "
            f'exec {shlex.quote(sys.executable)} -m {module} "$@"\n'
        )
        script.chmod(0o755)
