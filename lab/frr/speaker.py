"""A node's FRR kept in line with the BGP configuration that its agent wants.

Level-triggered: the running configuration is read each time, and only the difference is sent.
Announcing a VIP is one `network` line in 1 ms, and no session notices.
"""

from __future__ import annotations

from pathlib import Path

from lab.frr import vty
from lab.frr.model import BgpConfig
from lab.frr.node import node_tree, ours
from lab.frr.tree import Tree, difference, parse, part
from lab.frr.vty import Vty

DIALS = (" timers connect ", " activate")
"""FRR dials once it has read `timers connect`, and fails for a second if the neighbor has no
address family by then (peer_timers_connect_set in bgpd.c): these lines go out last and together,
in one write that bgpd reads at once. The session is up 20 ms later."""


class Speaker:
    """The BGP speaker of the node whose /run/frr is given; the caller's own by default."""

    def __init__(self, directory: Path = vty.DIRECTORY) -> None:
        self._directory = directory

    def apply(self, config: BgpConfig) -> list[str]:
        """Make FRR do what the configuration says; returns the commands that took.

        FrrError when a daemon is down or refuses a command; applying again is safe.
        """
        wanted = node_tree(config)
        daemons = ["bfdd", "bgpd"] if self._has_bfd(wanted) else ["bgpd"]
        return [command for daemon in daemons for command in self._apply(wanted, daemon)]

    def _apply(self, wanted: Tree, daemon: str) -> list[str]:
        with Vty(daemon, self._directory) as conversation:
            running = parse(conversation.run("show running-config"))
            steps = plan_changes(wanted, running, daemon)
            for commands in steps:
                conversation.configure(commands)
        return [command for commands in steps for command in commands]

    def _has_bfd(self, wanted: Tree) -> bool:
        return ("bfd",) in wanted or (self._directory / "bfdd.vty").exists()


def plan_changes(wanted: Tree, running: Tree, daemon: str) -> list[list[str]]:
    """The commands for one daemon in one step or two: all but new sessions, then those."""
    after = part(wanted, daemon)
    before = part(ours(running, after), daemon)
    between = {
        path: tuple(line for line in lines if line in before.get(path, ()) or not _dials(line))
        for path, lines in after.items()
    }
    steps = [difference(between, before), difference(after, between)]
    return [commands for commands in steps if commands]


def _dials(line: str) -> bool:
    return any(word in line for word in DIALS)
