"""How a node's configuration treats each prefix on its way to each neighbor.

bgpd goes by a route map when it announces a prefix. With a delay timer of 0 it never comes back to
what it has announced already (`bgp_route_map_mark_update` in FRR's bgpd/bgp_routemap.c): a prefix
that is treated otherwise from now on has to be announced anew by command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from lab.frr.tree import Tree, networks

Treatment = tuple[str, ...]
"""The verdict of a route map's entry and what it sets, sorted: FRR lists it in its own order."""

_MAP = re.compile(r"route-map to-(?P<neighbor>\S+) (?P<verdict>permit|deny) \d+")
_MATCH = re.compile(r"match ip(?:v6)? address prefix-list (\S+)")
_LISTED = re.compile(r"ip(?:v6)? prefix-list (\S+) seq \d+ permit (\S+)")


def announced_anew(wanted: Tree, running: Tree) -> list[str]:
    """The commands that announce to a neighbor again what it knows with other attributes."""
    stays = networks(wanted) & networks(running)
    before, after = _treatments(running), _treatments(wanted)
    return sorted(
        {
            f"clear bgp ipv{6 if ':' in prefix else 4} unicast {neighbor} soft out"
            for neighbor in before.keys() & after.keys()
            for prefix in stays
            if _of(prefix, before[neighbor]) != _of(prefix, after[neighbor])
        }
    )


def _treatments(tree: Tree) -> dict[str, dict[str, Treatment]]:
    """By neighbor: what its route map does to a prefix, and to all others under ``""``."""
    listed: dict[str, list[str]] = {}
    for name, prefix in _matches(_LISTED, tree.get((), ())):
        listed.setdefault(name, []).append(prefix)
    found: dict[str, dict[str, Treatment]] = {}
    for path, lines in tree.items():
        entry = _MAP.fullmatch(path[0]) if len(path) == 1 else None
        if entry:
            sets = sorted(line for line in lines if not _MATCH.fullmatch(line))
            of = found.setdefault(entry["neighbor"], {})
            of |= dict.fromkeys(_prefixes(lines, listed), (entry["verdict"], *sets))
    return found


def _prefixes(lines: Iterable[str], listed: Mapping[str, list[str]]) -> list[str]:
    """What an entry of a route map matches: the prefixes of its lists, or all."""
    lists = [name for (name,) in _matches(_MATCH, lines)]
    return [prefix for name in lists for prefix in listed.get(name, ())] if lists else [""]


def _of(prefix: str, treatments: Mapping[str, Treatment]) -> Treatment:
    return treatments.get(prefix, treatments.get("", ()))


def _matches(pattern: re.Pattern[str], lines: Iterable[str]) -> Iterator[tuple[str, ...]]:
    return (found.groups() for line in lines if (found := pattern.fullmatch(line)))
