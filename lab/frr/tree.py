"""An FRR configuration as a tree of sections and lines, in the order and wording of FRR itself.

Because our lines are written as `show running-config` prints them, a wanted configuration can be
compared with a running one, and only what differs is sent: a session is never touched without
need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

Path = tuple[str, ...]
"""The lines that open a section, outermost first; () is the top level."""

Tree = Mapping[Path, tuple[str, ...]]
"""Lines of each section, in order."""

OPENERS = ("router bgp ", "address-family ", "route-map ", "bfd", "profile ")
_CLOSERS = {"address-family ": "exit-address-family"}
_OF_VTYSH = ("service integrated-vtysh-config", "frr version")
_ENDS = ("exit", "exit-address-family", "end", "!")


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
    if daemon == "bgpd":
        own = {path: lines for path, lines in tree.items() if path[:1] != ("bfd",)}
        top = tuple(line for line in own.get((), ()) if not line.startswith(_OF_VTYSH))
        return {**own, (): top}
    return {}


def parse(configuration: str) -> dict[Path, tuple[str, ...]]:
    """The tree of a configuration file or of `show running-config`."""
    tree: dict[Path, list[str]] = {}
    path: Path = ()
    for raw in configuration.splitlines():
        line = raw.strip()
        if line in _ENDS or not line:
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


def difference(wanted: Tree, running: Tree) -> list[str]:
    """Configuration commands that turn the running sections into the wanted ones.

    Lines go before lines come, and a section goes as a whole when it is not wanted. Sections of
    `running` outside the wanted tree's kinds must have been left out by the caller.
    """
    commands = [
        command
        for path in _outermost(path for path in running if path and path not in wanted)
        for command in _within(path[:-1], [_negated(path[-1])])
    ]
    for path in wanted:
        gone = [line for line in running.get(path, ()) if line not in wanted[path]]
        come = [line for line in wanted[path] if line not in running.get(path, ())]
        if gone or come or path not in running:
            commands += _within(path, [*map(_negated, reversed(gone)), *come])
    return commands


def _negated(line: str) -> str:
    return line[3:] if line.startswith("no ") else f"no {line}"


def _within(path: Path, commands: Iterable[str]) -> Iterator[str]:
    """The commands inside a section, which is entered and left again."""
    yield from path
    yield from commands
    yield from (_closer(opener) for opener in reversed(path))


def _opens(line: str) -> bool:
    return any(line == opener.strip() or line.startswith(opener) for opener in OPENERS if opener)


def _closer(opener: str) -> str:
    return next((end for start, end in _CLOSERS.items() if opener.startswith(start)), "exit")


def _section(tree: Tree, path: Path, depth: int) -> Iterator[str]:
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


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths that do not lie within another one of them."""
    found = set(paths)
    return sorted(path for path in found if not any(path[:n] in found for n in range(1, len(path))))
