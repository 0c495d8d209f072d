"""Prefixes that a node stops announcing, taken back from its neighbors at once.

bgpd gathers changes of its routes for 50 ms before it works on them, and no setting shortens that
(`bgp_process_queue_init` in FRR's bgpd/bgp_route.c). A prefix list towards a neighbor counts the
moment it changes. So a prefix that goes is denied as well, and it stays denied until bgpd has
forgotten it: it would be announced once more in between otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_network
from zlib import crc32

from lab.frr.model import Prefix
from lab.frr.tree import Tree, networks

LEAVING = "leaving"
"""The prefix lists, one of each IP version: all but what is leaving may be announced."""

MOST = 32
"""Prefixes denied at a time: each makes bgpd go through all that it announces, twice. When more
leave together, its 50 ms weigh little beside that.
"""

_LAST = 2**32 - 1
_DENIED = re.compile(rf"ipv?6? prefix-list {LEAVING} seq \d+ deny (\S+)")


def open_lists(versions: Iterable[int]) -> list[str]:
    """The lists that deny nothing. A list without entries would not be kept, and without a list
    bgpd announces nothing at all.
    """
    return [_is_open(version) for version in versions]


def holding_back(wanted: Tree, running: Tree, known: Callable[[Prefix], bool]) -> Tree:
    """The wanted configuration, with what is leaving denied.

    That is what runs and is not wanted any more, and what was denied before as long as bgpd has it
    in its table (`known`). Of a crowd nothing is denied.
    """
    top, stays = wanted.get((), ()), _announced(wanted)
    going = _announced(running) - stays
    before = {each for each in denied(running) - stays if known(each)}
    leaving = sorted(before | (going if len(going) <= MOST else set()), key=str)
    heard = [each for each in leaving if _is_open(each.version) in top]
    return {**wanted, (): (*top, *map(_denial, heard))} if heard else wanted


def denied(tree: Tree) -> set[Prefix]:
    """The prefixes that a configuration keeps from its neighbors because they are leaving."""
    found = (_DENIED.fullmatch(line) for line in tree.get((), ()))
    return {ip_network(match[1]) for match in found if match}


def entry_number(prefix: Prefix) -> int:
    """A place in a prefix list that does not depend on what else is in it."""
    return 1 + crc32(str(prefix).encode()) % (_LAST - 1)


def _announced(tree: Tree) -> set[Prefix]:
    return set(map(ip_network, networks(tree)))


def _denial(prefix: Prefix) -> str:
    number = entry_number(prefix)
    return f"{_family(prefix.version)} prefix-list {LEAVING} seq {number} deny {prefix}"


def _is_open(version: int) -> str:
    return f"{_family(version)} prefix-list {LEAVING} seq {_LAST} permit any"


def _family(version: int) -> str:
    return "ip" if version == 4 else "ipv6"
