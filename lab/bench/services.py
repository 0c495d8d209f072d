"""As many services as a cluster has: our programs against nftables and iptables, and VXLAN.

Every path is up for the whole time, so that measurements can take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial

from lab.bench.balancing import Side, bare_servers, listens
from lab.bench.bare_path import bare_path
from lab.bench.many_services import vip
from lab.bench.model import Row, in_turns
from lab.bench.translated_paths import (
    REMOTE_POD,
    bare_tunnel,
    iptables,
    nftables,
    our_tunnel,
    ours,
)

SIZES = (1, 1_000, 10_000)
OTHERS: tuple[tuple[str, Callable[[int], list[str]]], ...] = (
    ("nftables, a map", nftables),
    ("iptables, kube-proxy's chains", iptables),
)
AHEAD, FLAT, TUNNEL = 1.0, 0.95, 0.9


def measure(rounds: int) -> Iterator[Row]:
    for size in SIZES:
        yield from _against_others(rounds, size)
    yield from _flat(rounds)
    yield from _tunnel(rounds)


WHAT = (("HTTP connections", Side.connections), ("UDP packets of 64 bytes", Side.packets))


def _against_others(rounds: int, size: int) -> Iterator[Row]:
    with ExitStack() as stack:
        address = vip(size)
        sides = [_side(stack, ours(size), "pod", address)]
        sides += [_side(stack, make(size), "pod", address) for _, make in OTHERS]
        for name, of in WHAT:
            mine, *theirs = in_turns(rounds, *(partial(of, side) for side in sides))
            for (other, _), value in zip(OTHERS, theirs, strict=True):
                yield _row(f"{name}, {_counted(size)}", mine, value, other, AHEAD)


def _flat(rounds: int) -> Iterator[Row]:
    """The most services against one, both ours."""
    with ExitStack() as stack:
        few, many = (_side(stack, ours(size), "pod", vip(size)) for size in (1, SIZES[-1]))
        for name, of in WHAT:
            most, one = in_turns(rounds, partial(of, many), partial(of, few))
            yield _row(f"{name}, {_counted(SIZES[-1])}", most, one, "1 service, ours too", FLAT)


def _tunnel(rounds: int) -> Iterator[Row]:
    with ExitStack() as stack:
        mine = _side(stack, our_tunnel(), "pod2", vip(1))
        bare = _side(stack, bare_tunnel(), "pod2", REMOTE_POD)
        for name, of in (*WHAT, ("HTTP requests, one by one", Side.requests)):
            tunnelled, plain = in_turns(rounds, partial(of, mine), partial(of, bare))
            yield _row(f"{name}, pod on another node", tunnelled, plain, "bare VXLAN", TUNNEL)


def _side(stack: ExitStack, more: Sequence[str], pod: str, address: str) -> Side:
    path = stack.enter_context(bare_path(more))
    stack.enter_context(bare_servers(path, pod))
    run = partial(path.run, "client")
    listens(run, address)
    return Side(run, address, address)


def _counted(size: int) -> str:
    return f"{size:,} services" if size > 1 else "1 service"


def _row(name: str, ours: float, other: float, other_name: str, target: float) -> Row:
    return Row(name, "/s", ours, other, other_name, target, less_is_better=False)
