"""`bgp route-policies`: what is set on which prefixes on their way to which peer, as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from lab.agent.cilium.columns import columns
from lab.frr.tree import Tree, parse

Treatments = Mapping[tuple[str, str], Mapping[str, str]]
"""By peer and prefix: what is set, such as `set local-preference`, and its value."""

_HEADER = (
    "VRouter", "Policy Name", "Type", "Match Peers", "Match Families",
    "Match Prefixes (Min..Max Len)", "RIB Action", "Path Actions",
)  # fmt: skip
_MAP = re.compile(r"route-map to-(\S+) (permit|deny) (\d+)")
_LIST = re.compile(r"(?:ip|ipv6) prefix-list (\S+) seq \d+ permit (\S+)")
_MATCH = re.compile(r"match (ip|ipv6) address prefix-list (\S+)")
_ROUTER = re.compile(r"router bgp (\d+)")
_FAMILY = {"ip": "ipv4/unicast", "ipv6": "ipv6/unicast"}

_ACTIONS = {
    "set local-preference": "SetLocalPreference: {}",
    "set community": "AddCommunities: [{}]",
    "set large-community": "AddLargeCommunities: [{}]",
}


@dataclass(frozen=True)
class _Statement:
    """One route map entry towards a peer."""

    peer: str
    sequence: str
    accepts: bool
    families: tuple[str, ...]
    prefixes: tuple[str, ...]
    sets: Mapping[str, str]


def policies(configuration: str) -> list[str]:
    """One line for each way of announcing; `configuration` is bgpd's own."""
    tree = parse(configuration)
    routers = [_ROUTER.match(path[0]) for path in tree if path]
    router = next((match[1] for match in routers if match), "")
    row = partial(_row, router)
    return columns([_HEADER, *sorted(map(row, _statements(tree)), key=lambda each: each[1])])


def treatments(configuration: str) -> Treatments:
    """What is set on which prefix for which peer."""
    return {
        (each.peer, prefix): each.sets
        for each in _statements(parse(configuration))
        for prefix in each.prefixes
        if each.accepts
    }


def _statements(tree: Tree) -> Iterator[_Statement]:
    listed = _prefix_lists(tree.get((), ()))
    for path, lines in tree.items():
        found = _MAP.match(path[0]) if len(path) == 1 else None
        if found is None:
            continue
        peer, verdict, sequence = found.groups()
        matches = [match for match in map(_MATCH.match, lines) if match]
        yield _Statement(
            peer,
            sequence,
            accepts=verdict == "permit",
            families=tuple(_FAMILY[match[1]] for match in matches),
            prefixes=tuple(each for match in matches for each in listed.get(match[2], ())),
            sets=dict(_sets(lines)),
        )


def _prefix_lists(lines: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        match = _LIST.match(line)
        if match:
            found.setdefault(match[1], []).append(match[2])
    return found


def _sets(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        for start in _ACTIONS:
            if line.startswith(start + " "):
                yield start, line[len(start) :].replace(" additive", "").strip()


def _row(router: str, each: _Statement) -> tuple[str, ...]:
    lengths = ((prefix, prefix.partition("/")[2]) for prefix in each.prefixes)
    return (
        router,
        f"to-{each.peer}-{each.sequence}",
        "export",
        each.peer,
        _array(each.families),
        _array([f"{prefix} ({length}..{length})" for prefix, length in lengths]),
        "accept" if each.accepts else "reject",
        _array([_ACTIONS[start].format(value) for start, value in each.sets.items()]),
    )


def _array(texts: Iterable[str]) -> str:
    """One as it is, several each in braces."""
    given = list(texts)
    return given[0] if len(given) == 1 else " ".join(f"{{{text}}}" for text in given)
