"""What programs find in their environment when they run in a node."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from lab.sandbox.rundir import RunDir
from lab.topology.plan import NodeKind, Plan, PlannedNode

SYSTEM_PATH = (
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/frr"  # daemons too
)

COMMANDS = {"cilium": "lab.agent.cilium", "hubble": "lab.hubble"}
"""Commands of the lab's own that every node has, and the modules they run."""

REPOSITORY = Path(__file__).resolve().parents[2]


def environment(run: RunDir, plan: Plan, node: PlannedNode) -> dict[str, str]:
    """Variables that are the node's own; a program keeps its caller's others."""
    variables = {
        "PATH": f"{run.bin}:{SYSTEM_PATH}",
        "LAB": run.name,
        "LAB_NODE": node.name,
        "HISTFILE": "",
    }
    if plan.cluster is not None and node.kind in (NodeKind.CONTROL, NodeKind.MASTER):
        variables["KUBECONFIG"] = str(run.kubeconfig)
        variables["KUBECACHEDIR"] = str(run.path / "kube-cache")
    return variables


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
