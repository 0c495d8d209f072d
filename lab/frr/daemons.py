"""FRR's daemons on the nodes: started all at once, each from its part of the node's frr.conf."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from pwd import getpwnam

from lab import shell
from lab.emulation.holder import inside
from lab.errors import FrrError
from lab.frr.plan import files
from lab.frr.tree import parse, part, text
from lab.topology.plan import NodeKind, Plan, PlannedNode

ACCOUNT = "frr"
"""The daemons give up root for this account, which therefore owns their files."""

START_WITHIN = 30.0
"""Seconds for all daemons of a node; they take 0.1 s each when the machine is idle."""

_START = """
echo 0 > "/sys/fs/cgroup/$1/cgroup.procs" || exit
shift
for daemon; do
    read -r pid 2> /dev/null < /run/frr/$daemon.pid && kill -0 "$pid" 2> /dev/null && continue
    /usr/lib/frr/$daemon -d -f /etc/frr/start/$daemon.conf --log file:/etc/frr/$daemon.log || exit
done
"""
"""Runs inside a node: its name, then its daemons. `-d` returns when a daemon has read its
configuration and listens, so that the next one finds it."""


_Step = tuple[str, tuple[str, ...]]
"""A node and daemons to start on it, one after the other."""

_SAID = "start.log"
"""What the daemons say before they open their own logs."""


def start(plan: Plan, pids: Mapping[str, int], run_dir: Path, names: Iterable[str] = ()) -> None:
    """Start those daemons of the nodes named (or of all) that do not run; FrrError in FRR's words.

    `pids` are the nodes' holders. A node's frr.conf is written unless it has one already, so that
    what `write memory` saved outlives a restart. Returns when the daemons have read theirs.
    """
    wanted = set(names) or {node.name for node in plan.nodes}
    nodes = [node for node in plan.nodes if node.daemons and node.name in wanted]
    for node in nodes:
        _write_files(plan, node, _directory(run_dir, node.name))
    for wave in _waves(nodes):
        _start_all(wave, pids, run_dir)


def _waves(nodes: Iterable[PlannedNode]) -> tuple[list[_Step], list[_Step]]:
    """The router whole and the nodes' zebra; then what is left of the nodes.

    A node dials as soon as its bgpd runs. A router that does not listen yet, or has not heard of
    its own interfaces, costs the session a second: the shortest `timers connect` there is.
    """
    routers = [node for node in nodes if node.kind is NodeKind.ROUTER]
    others = [node for node in nodes if node.kind is not NodeKind.ROUTER]
    first = [(node.name, node.daemons) for node in routers]
    first += [(node.name, node.daemons[:1]) for node in others]
    return first, [(node.name, node.daemons[1:]) for node in others]


def _start_all(steps: Iterable[_Step], pids: Mapping[str, int], run_dir: Path) -> None:
    """Run steps side by side to their ends."""
    started = [
        (name, _launch(name, daemons, pids[name], _directory(run_dir, name)))
        for name, daemons in steps
    ]
    for name, child in started:
        if shell.wait(child, timeout=START_WITHIN) != 0:
            said = (_directory(run_dir, name) / _SAID).read_text().strip()
            raise FrrError(f"FRR does not start on {name}\n  {said}")


def _launch(node: str, daemons: Iterable[str], pid: int, directory: Path) -> shell.Child:
    words = [*inside(pid), "/bin/sh", "-c", _START, "sh", node, *daemons]
    with (directory / _SAID).open("a") as said:
        return shell.start(words, stdout=said, stderr=said)


def _write_files(plan: Plan, node: PlannedNode, directory: Path) -> None:
    """frr.conf for people and vtysh, and the part of it that each daemon reads at its start."""
    parts = directory / "start"
    parts.mkdir(parents=True, exist_ok=True)
    for name, content in files(plan, node).items():
        if not (directory / name).exists():
            (directory / name).write_text(content)
    tree = parse((directory / "frr.conf").read_text())
    for daemon in node.daemons:
        (parts / f"{daemon}.conf").write_text(text(part(tree, daemon)))
    for path in (directory, *directory.rglob("*")):
        _hand_over(path)


def _directory(run_dir: Path, node: str) -> Path:
    return run_dir / "nodes" / node / "frr"


def _hand_over(path: Path) -> None:
    account = getpwnam(ACCOUNT)
    os.chown(path, account.pw_uid, account.pw_gid)
