"""As many services as a cluster has: our programs against nftables and iptables, and VXLAN.

Every path is up for the whole time, so that measurements can take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from lab.bench.balancing import TURNS, Side, bare_servers, listens
from lab.bench.model import Row, in_turns
from lab.bench.paths.bare_path import bare_path
from lab.bench.paths.many_services import vip
from lab.bench.paths.translated_paths import (
    REMOTE_POD,
    bare_tunnel,
    iptables,
    nftables,
    our_tunnel,
    ours,
)

SIZES = (1, 1_000, 10_000)
KINDS: tuple[tuple[str, Callable[[int], list[str]]], ...] = (
    ("ours", ours),
    ("nftables, one map", nftables),
    ("kube-proxy's iptables", iptables),
)
AHEAD, FLAT, TUNNEL = 1.0, 0.95, 0.9
WHAT = (("HTTP connections", Side.connections), ("UDP packets of 64 bytes", Side.packets))


def measure(rounds: int) -> Iterator[Row]:
    yield from _services(rounds * TURNS)
    yield from _tunnel(rounds * TURNS)


def _services(turns: int) -> Iterator[Row]:
    """Each kind with each number of services, all up at once and measured in turns."""
    cases = [(size, kind) for size in SIZES for kind, _ in KINDS]
    with ExitStack() as stack:
        sides = [_side(stack, make(size), "pod", vip(size)) for size in SIZES for _, make in KINDS]
        for name, of in WHAT:
            values = in_turns(turns, *(partial(of, side) for side in sides))
            yield from _compared(name, dict(zip(cases, values, strict=True)))


def _compared(name: str, values: Mapping[tuple[int, str], Sequence[float]]) -> Iterator[Row]:
    """Ours against the others with as many services, and with the most against with one."""
    mine, *others = (kind for kind, _ in KINDS)
    for size in SIZES:
        for other in others:
            told = f"{name}, {_counted(size)}"
            yield _row(told, values[size, mine], values[size, other], other, AHEAD)
    one, most = SIZES[0], SIZES[-1]
    told = f"{name}, {_counted(most)}"
    yield _row(told, values[most, mine], values[one, mine], f"ours, {_counted(one)}", FLAT)


def _tunnel(turns: int) -> Iterator[Row]:
    with ExitStack() as stack:
        mine = _side(stack, our_tunnel(), "pod2", vip(1))
        bare = _side(stack, bare_tunnel(), "pod2", REMOTE_POD)
        for name, of in (*WHAT, ("HTTP requests, one by one", Side.requests)):
            tunnelled, plain = in_turns(turns, partial(of, mine), partial(of, bare))
            yield _row(f"{name}, pod on another node", tunnelled, plain, "bare VXLAN", TUNNEL)


def _side(stack: ExitStack, more: Sequence[str], pod: str, address: str) -> Side:
    path = stack.enter_context(bare_path(more))
    stack.enter_context(bare_servers(path, pod))
    run = partial(path.run, "client")
    listens(run, address)
    return Side(run, address, address)


def _counted(size: int) -> str:
    return f"{size:,} services" if size > 1 else "1 service"


def _row(
    name: str, ours: Sequence[float], other: Sequence[float], other_name: str, target: float
) -> Row:
    return Row.of_turns(name, "/s", ours, other, other_name, target)
