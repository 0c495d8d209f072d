"""An FRR configuration as a tree of sections and lines, in the order and wording of FRR itself.

Because our lines are written as `show running-config` prints them, a wanted configuration can be
compared with a running one, and only what differs is sent: a session is never touched without
need.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Place = tuple[str, ...]
"""The lines that open a section, outermost first; () is the top level."""

Tree = Mapping[Place, tuple[str, ...]]
"""Lines of each section, in order."""

OPENERS = ("router bgp ", "address-family ", "route-map ", "bfd", "profile ")
_CLOSERS = {"address-family ": "exit-address-family"}
_OF_VTYSH = ("service integrated-vtysh-config", "frr version")
_OF_ZEBRA = "zebra "
_ENDS = ("exit", "exit-address-family", "end")
_NETWORK = re.compile(r"network (\S+)")


def text(tree: Tree) -> str:
    """The configuration file, one section after the other."""
    lines: list[str] = []
    for path in (path for path in tree if len(path) < 2):
        lines += _section(tree, path, 0)
    return "\n".join(lines) + "\n"


def part(tree: Tree, daemon: str) -> Tree:
    """The sections that a daemon understands: it stumbles over those of others."""
    if daemon == "bfdd":
        return {path: lines for path, lines in tree.items() if path[:1] == ("bfd",)}
    top = tuple(line for line in tree.get((), ()) if not line.startswith(_OF_VTYSH))
    if daemon == "bgpd":
        own = {path: lines for path, lines in tree.items() if path[:1] != ("bfd",)}
        return {**own, (): tuple(line for line in top if not line.startswith(_OF_ZEBRA))}
    return {(): tuple(line for line in top if line.startswith(_OF_ZEBRA))}


def parse(configuration: str) -> dict[Place, tuple[str, ...]]:
    """The tree of a configuration file or of `show running-config`."""
    tree: dict[Place, list[str]] = {}
    path: Place = ()
    for raw in configuration.splitlines():
        line = raw.strip()
        if line in _ENDS or line.startswith("!") or not line:
            path = path[:-1] if line.startswith("exit") else path
            continue
        if not raw.startswith(" "):
            path = ()
        if _opens(line):
            path = (*path, line)
            tree.setdefault(path, [])
        else:
            tree.setdefault(path, []).append(line)
    return {path: tuple(lines) for path, lines in tree.items()}


def networks(tree: Tree) -> set[str]:
    """The prefixes that BGP announces, of both IP versions, as they are written."""
    lines = [line for path, lines in tree.items() if len(path) == 2 for line in lines]
    return {match[1] for match in map(_NETWORK.fullmatch, lines) if match}


def difference(wanted: Tree, running: Tree) -> list[str]:
    """Configuration commands that turn the running sections into the wanted ones.

    What goes, goes first and from the inside out (a neighbor's last line takes the neighbor with
    it); what comes, comes from the outside in. `running` holds nothing that is not ours.
    """
    commands: list[str] = []
    for path in sorted(running, key=len, reverse=True):
        if _goes_with_another(path, wanted, running):
            continue
        if path in wanted or (path and path[-1].startswith("address-family ")):
            gone = [line for line in running[path] if line not in wanted.get(path, ())]
            commands += _within(path, [_negated(line) for line in reversed(gone)])
        else:
            commands += _within(path[:-1], [_negated(path[-1])])
    for path, lines in wanted.items():
        come = [line for line in lines if line not in running.get(path, ())]
        commands += _within(path, come, always=path not in running)
    return commands


def _goes_with_another(path: Place, wanted: Tree, running: Tree) -> bool:
    """Whether a section that is not wanted lies in another one that is not."""
    above = (path[:depth] for depth in range(1, len(path)))
    return any(outer in running and outer not in wanted for outer in above)


def _negated(line: str) -> str:
    return line[3:] if line.startswith("no ") else f"no {line}"


def _within(path: Place, commands: list[str], *, always: bool = False) -> list[str]:
    """The commands inside a section, which is entered and left again; none for none."""
    if not commands and not always:
        return []
    return [*path, *commands, *(_closer(opener) for opener in reversed(path))]


def _opens(line: str) -> bool:
    return any(line == opener.strip() or line.startswith(opener) for opener in OPENERS if opener)


def _closer(opener: str) -> str:
    return next((end for start, end in _CLOSERS.items() if opener.startswith(start)), "exit")


def _section(tree: Tree, path: Place, depth: int) -> Iterator[str]:
    """A section with its subsections, indented as FRR prints it."""
    if not path:
        yield from tree[path]
        yield "!"
        return
    yield " " * depth + path[-1]
    yield from (" " * (depth + 1) + line for line in tree[path])
    for inner in tree:
        if inner[:-1] == path:
            yield " " * (depth + 1) + "!"
            yield from _section(tree, inner, depth + 1)
    yield " " * depth + _closer(path[-1])
    if depth == 0:
        yield "!"
