"""FRR's daemons on the nodes: started all at once, each from its part of the node's frr.conf."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from pwd import getpwnam

from lab import shell
from lab.errors import FrrError
from lab.frr.plan import files
from lab.frr.tree import parse, part, text
from lab.topology.plan import Plan, PlannedNode

ACCOUNT = "frr"
"""The daemons give up root for this account, which therefore owns their files."""

START_WITHIN = 30.0
"""Seconds for all daemons of a node; they take 0.1 s each when the machine is idle."""

_START = """
echo 0 > "/sys/fs/cgroup/$1/cgroup.procs" || exit
shift
for daemon; do
    /usr/lib/frr/$daemon -d -f /etc/frr/start/$daemon.conf --log file:/etc/frr/$daemon.log || exit
done
"""
"""Runs inside a node: its name, then its daemons. `-d` returns when a daemon has read its
configuration and listens, so that the next one finds it."""


_SAID = "start.log"
"""What the daemons say before they open their own logs."""


def write_files(plan: Plan, run_dir: Path) -> None:
    """Write frr.conf and vtysh.conf of every node that has daemons."""
    for node in plan.nodes:
        if node.daemons:
            directory = _directory(run_dir, node.name)
            directory.mkdir(parents=True, exist_ok=True)
            for name, content in files(plan, node).items():
                (directory / name).write_text(content)
            _hand_over(directory)


def start(plan: Plan, pids: Mapping[str, int], run_dir: Path, names: Iterable[str] = ()) -> None:
    """Start the daemons of the nodes named, or of all; FrrError with a daemon's own words.

    Returns when every daemon has read its part of frr.conf. A node's directory is its /etc/frr.
    """
    wanted = set(names) or {node.name for node in plan.nodes}
    nodes = [node for node in plan.nodes if node.daemons and node.name in wanted]
    # The router first: the others dial it.
    nodes.sort(key=lambda node: node.is_kube)
    starting = [(node.name, _launch(node, pids[node.name], run_dir)) for node in nodes]
    for name, child in starting:
        if shell.wait(child, timeout=START_WITHIN) != 0:
            said = (_directory(run_dir, name) / _SAID).read_text().strip()
            raise FrrError(f"FRR does not start on {name}\n  {said}")


def _launch(node: PlannedNode, pid: int, run_dir: Path) -> shell.Child:
    directory = _directory(run_dir, node.name)
    tree = parse((directory / "frr.conf").read_text())
    start_files = directory / "start"
    start_files.mkdir(exist_ok=True)
    for daemon in node.daemons:
        (start_files / f"{daemon}.conf").write_text(text(part(tree, daemon)))
    _hand_over(start_files)
    inside = ["nsenter", "-t", str(pid), "-m", "-n", "-u", "--"]
    words = [*inside, "/bin/sh", "-c", _START, "sh", node.name, *node.daemons]
    with (directory / _SAID).open("w") as said:
        return shell.start(words, stdout=said, stderr=said)


def _directory(run_dir: Path, node: str) -> Path:
    return run_dir / "nodes" / node / "frr"


def _hand_over(directory: Path) -> None:
    account = getpwnam(ACCOUNT)
    for path in (directory, *directory.iterdir()):
        os.chown(path, account.pw_uid, account.pw_gid)
