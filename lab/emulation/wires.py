"""The far ends of the nodes' cables, ports of the networks' bridges: what goes wrong on a wire.

Nothing of it is on the nodes. Runs in the namespace of the bridges, which is the supervisor's.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum

from lab import shell
from lab.bpf import impair
from lab.bpf.attach import Hook, remove_hooks
from lab.errors import InputError
from lab.topology.plan import PlannedNode


class Trouble(IntEnum):
    """What a wire can do to packets; the value is the handle of its filter at the port."""

    LOSS = 1
    CORRUPTION = 2
    RATE = 3


MILLION = 1_000_000
BITS_A_BYTE = 8

SIDES = {Trouble.LOSS: Hook.EGRESS, Trouble.CORRUPTION: Hook.INGRESS, Trouble.RATE: Hook.EGRESS}
"""Seen from the bridge. Packets are lost and held to a rate on their way to the node: whoever
sends them is not told. They are corrupted where the node sent them, complete with checksums."""


class Wires:
    """Impaired ports, by interface index, with the troubles they have."""

    def __init__(self) -> None:
        self._impaired: dict[int, set[Trouble]] = {}

    def impair(self, port: int, trouble: Trouble, amount: int) -> None:
        """Give a port a trouble: `amount` packets of a million, or of RATE bits a second."""
        amounts = {trouble: amount}
        impair.put(
            port,
            SIDES[trouble],
            trouble,
            lost=amounts.get(Trouble.LOSS, 0),
            corrupted=amounts.get(Trouble.CORRUPTION, 0),
            rate=amounts.get(Trouble.RATE, 0) // BITS_A_BYTE,
        )
        self._impaired.setdefault(port, set()).add(trouble)

    def restore(self, port: int, trouble: Trouble) -> None:
        """Take a trouble away; no error when there is none."""
        impair.take_off(port, SIDES[trouble], trouble)
        left = self._impaired.get(port, set())
        left.discard(trouble)
        if not left:
            remove_hooks(port)


def part(one: Sequence[PlannedNode], other: Sequence[PlannedNode], ports: Iterable[str]) -> None:
    """No frame and no packet passes between two groups of nodes, whichever way it takes.

    At `ports`, those of the second group, the bridges drop what has the first group's MAC or IP
    addresses: neighbors are told apart by the first, nodes behind a router by the second.
    """
    both = {node.name for node in one} & {node.name for node in other}
    if both:
        raise InputError(f"a node cannot be on both sides: {', '.join(sorted(both))}")
    rules = _rules(_table(one, other), one, _set(f'"{port}"' for port in ports))
    shell.run(["nft", "-f", "-"], input="\n".join(rules) + "\n")


def join(one: Sequence[PlannedNode], other: Sequence[PlannedNode]) -> None:
    """Undo `part`; no error when the groups are not parted."""
    shell.probe(["nft", "delete", "table", "bridge", _table(one, other)])


def _table(one: Iterable[PlannedNode], other: Iterable[PlannedNode]) -> str:
    sides = sorted(",".join(sorted(node.name for node in side)) for side in (one, other))
    return f"partition-{zlib.crc32('|'.join(sides).encode()):08x}"


def _rules(table: str, one: Sequence[PlannedNode], ports: str) -> Iterator[str]:
    """The partition as one transaction of nft: all of it, or an error and nothing."""
    legs = [leg for node in one for leg in node.interfaces]
    known = {
        "ether": [leg.mac for leg in legs],
        "ip": [str(leg.address.ip) for leg in legs],
        "ip6": [str(leg.address6.ip) for leg in legs if leg.address6 is not None],
    }
    yield f"create table bridge {table}"
    yield f"add chain bridge {table} between {{ type filter hook forward priority 0; }}"
    for family, addresses in known.items():
        if addresses:
            group = _set(addresses)
            yield f"add rule bridge {table} between oifname {ports} {family} saddr {group} drop"
            yield f"add rule bridge {table} between iifname {ports} {family} daddr {group} drop"


def _set(items: Iterable[str]) -> str:
    return "{ " + ", ".join(items) + " }"
