"""`bgp route-policies`: what is set on which prefixes on their way to which peer, as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from lab.agent.cilium.columns import columns
from lab.frr.tree import parse

_HEADER = (
    "VRouter", "Policy Name", "Type", "Match Peers", "Match Prefixes (Min..Max Len)",
    "RIB Action", "Path Actions",
)  # fmt: skip
_MAP = re.compile(r"route-map to-(\S+) (permit|deny) (\d+)")
_LIST = re.compile(r"(?:ip|ipv6) prefix-list (\S+) seq \d+ permit (\S+)")
_MATCH = re.compile(r"match (?:ip|ipv6) address prefix-list (\S+)")
_ROUTER = re.compile(r"router bgp (\d+)")

_ACTIONS = {
    "set community": "AddCommunities",
    "set large-community": "AddLargeCommunities",
    "set local-preference": "SetLocalPreference",
}


def policies(configuration: str) -> list[str]:
    """One line for each way of announcing; `configuration` is bgpd's own."""
    tree = parse(configuration)
    prefixes = _prefix_lists(tree.get((), ()))
    routers = [_ROUTER.match(path[0]) for path in tree if path]
    router = next((match[1] for match in routers if match), "")
    return columns([_HEADER, *_rows(tree, prefixes, router)])


def _rows(
    tree: Mapping[tuple[str, ...], tuple[str, ...]], prefixes: Mapping[str, list[str]], router: str
) -> Iterator[tuple[str, ...]]:
    for path, lines in tree.items():
        found = _MAP.match(path[0]) if len(path) == 1 else None
        if found is None:
            continue
        peer, verdict, sequence = found.groups()
        listed = [each for name in _named(lines) for each in prefixes.get(name, ())]
        matched = (
            ", ".join(f"{each} ({_length(each)}..{_length(each)})" for each in listed) or "any"
        )
        action = "accept" if verdict == "permit" else "reject"
        name = f"to-{peer}-{sequence}"
        yield router, name, "export", peer, matched, action, ", ".join(_actions(lines))


def _prefix_lists(lines: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        match = _LIST.match(line)
        if match:
            found.setdefault(match[1], []).append(match[2])
    return found


def _named(lines: Iterable[str]) -> Iterator[str]:
    return (match[1] for match in map(_MATCH.match, lines) if match)


def _length(prefix: str) -> str:
    return prefix.partition("/")[2]


def _actions(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        for start, name in _ACTIONS.items():
            if line.startswith(start + " "):
                words = line[len(start) :].split()
                yield f"{{{name}: {' '.join(w for w in words if w != 'additive')}}}"
