"""A node's FRR kept in line with the BGP configuration that its agent wants.

Level-triggered: the running configuration is read each time, and only the difference is sent.
Announcing a VIP is one `network` line in 1 ms, and no session notices. bgpd gathers changes for
50 ms before it works on them (its process queue), the node's as well as the router's; what a node
takes back does not wait for its own (`lab.frr.leaving`).
"""

from __future__ import annotations

import re
from pathlib import Path

from lab.frr import leaving, vty
from lab.frr.model import BgpConfig, Prefix
from lab.frr.node import node_tree, ours
from lab.frr.treatment import announced_anew
from lab.frr.tree import Tree, difference, parse, part
from lab.frr.vty import Vty

DIALS = (" timers connect ", " activate")
"""FRR dials once it has read `timers connect`, and fails for a second if the neighbor has no
address family by then (peer_timers_connect_set in bgpd.c): these lines go out last and together,
in one write that bgpd reads at once. The session is up 20 ms later."""

_NEIGHBOR = re.compile(r"neighbor (\S+) ")
_TERMS = re.compile(r"neighbor \S+ (timers \d|port |graceful-restart)")


class Speaker:
    """The BGP speaker of the node whose /run/frr is given; the caller's own by default."""

    def __init__(self, directory: Path = vty.DIRECTORY) -> None:
        self._directory = directory
        self.untidy = False
        """bgpd still keeps from the neighbors what it had not forgotten when it was last asked:
        to be applied again soon."""
        self._heeded: Tree = {}
        """What bgpd ran before it got lines whose orders it has not got; empty when it has all."""

    def apply(self, config: BgpConfig) -> list[str]:
        """Make FRR do what the configuration says; returns the commands that took.

        Sessions whose terms changed begin anew, since FRR would keep to what was agreed on, and
        prefixes that are announced with other attributes from now on are announced again.

        FrrError when a daemon is down or refuses a command; applying again is safe, and makes up
        for orders that the failure has cut off. After a bgpd that died there is none to make up
        for: its sessions ended with it, and the next one tells all that it announces. But an agent
        that is killed between lines and orders, a millisecond apart, leaves a session with its old
        terms and attributes until it ends.
        """
        wanted = node_tree(config)
        daemons = ["bfdd", "bgpd"] if self._has_bfd(wanted) else ["bgpd"]
        return [command for daemon in daemons for command in self._apply(wanted, daemon)]

    def _apply(self, wanted: Tree, daemon: str) -> list[str]:
        with Vty(daemon, self._directory) as conversation:
            running = parse(conversation.run("show running-config"))
            if daemon == "bgpd":
                wanted = leaving.holding_back(
                    wanted, running, lambda each: _knows(conversation, each)
                )
                self.untidy = bool(leaving.denied(wanted))
                if not (self._heeded and _terms(running)):  # another bgpd has no neighbors yet
                    self._heeded = running
            steps = plan_changes(wanted, running, daemon)
            for commands in steps:
                conversation.configure(commands)
            orders = _orders(wanted, self._heeded) if daemon == "bgpd" else []
            for command in orders:
                conversation.run(command)
        if daemon == "bgpd":
            self._heeded = {}
        return [command for commands in steps for command in commands] + orders

    def _has_bfd(self, wanted: Tree) -> bool:
        return ("bfd",) in wanted or (self._directory / "bfdd.vty").exists()


def _orders(wanted: Tree, running: Tree) -> list[str]:
    """What bgpd has to be told to do, once it has its configuration."""
    resets = [f"clear bgp {address}" for address in renegotiated(wanted, running)]
    return [*resets, *announced_anew(wanted, running)]


def _knows(bgpd: Vty, prefix: Prefix) -> bool:
    return bool(bgpd.json(f"show bgp ipv{prefix.version} unicast {prefix} json"))


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


def renegotiated(wanted: Tree, running: Tree) -> list[str]:
    """Addresses of neighbors whose session must begin anew for what changed to count.

    Hold time and graceful restart are agreed on in the OPEN messages (RFC 4271, section 4.2), and
    a port counts for the next connection. Another password, source or AS number ends the session
    in FRR itself.
    """
    before, after = _terms(running), _terms(wanted)
    return sorted(
        address
        for address, terms in after.items()
        if address in before and before[address] != terms
    )


def _terms(tree: Tree) -> dict[str, set[str]]:
    """By neighbor, the lines that its session keeps to from its begin."""
    found: dict[str, set[str]] = {}
    for path, lines in tree.items():
        if len(path) != 1 or not path[0].startswith("router bgp "):
            continue
        shared = {line for line in lines if line.startswith("bgp graceful-restart")}
        for line in lines:
            neighbor = _NEIGHBOR.match(line)
            if neighbor:
                terms = found.setdefault(neighbor[1], set(shared))
                terms |= {line} if _TERMS.match(line) else set()
    return found


def _dials(line: str) -> bool:
    return any(word in line for word in DIALS)
