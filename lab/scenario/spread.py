"""Where equal-cost routing sends a connection: the kernel's own answer, asked before connecting.

The router hashes addresses and ports (fib_multipath_hash_policy=1). For a connection that starts
on the router itself the answer holds: the local port decides the next hop, and a chosen port
makes a chosen path. For a client behind the router it does not: a packet brings its socket's
own random hash along (skb->l4_hash), and the router uses that. There one looks where it went.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lab.errors import LabError
from lab.scenario import families
from lab.scenario.reading import routes
from lab.scenario.stage import Stage

_VIA = re.compile(r" via (\S+)")

TRIES = 200
"""With six next hops, 200 ports miss one of them once in 7e15 times."""


def question(stage: Stage, target: str, *, local_port: int) -> str:
    """The command that asks the router for the next hop of a connection to port 80."""
    # A TCP socket over IPv6 is routed once, before it has chosen its source address.
    known = "" if families.is_ipv6(target) else f"from {families.peer_of(stage, target)} "
    return f"ip route get {target} {known}ipproto tcp sport {local_port} dport 80"


def next_hop(stage: Stage, router: str, target: str, *, local_port: int) -> str:
    """The node address that a TCP connection from this port of the router goes to."""
    line = question(stage, target, local_port=local_port).replace("ip ", "ip -j ", 1)
    hops = routes.next_hops(routes.parse(stage.run(router, line).json()))
    if len(hops) != 1:
        raise LabError(f"{router} has {len(hops)} next hops for one connection to {target}")
    return hops.pop()


def next_hops(stage: Stage, router: str, target: str, ports: Iterable[int]) -> list[str]:
    """`next_hop` for many ports, in their order, asked by one run of `ip`."""
    questions = [question(stage, target, local_port=port) for port in ports]
    lines = "".join(f"{line.removeprefix('ip ')}\n" for line in questions)
    told = stage.lab.node(router).run(["ip", "-o", "-batch", "-"], input=lines)
    hops = _VIA.findall(told.out)
    if len(hops) != len(questions):
        raise LabError(f"{router} has next hops for {len(hops)} of {len(questions)} connections")
    return hops


def local_port_towards(
    stage: Stage, router: str, target: str, wanted: set[str], *, first: int
) -> tuple[int, str]:
    """A local port of the router whose connections go to one of the wanted next hops, and which."""
    for port in range(first, first + TRIES):
        hop = next_hop(stage, router, target, local_port=port)
        if hop in wanted:
            return port, hop
    raise LabError(
        f"{router}: none of the local ports {first} to {first + TRIES - 1} leads to "
        f"{' or '.join(sorted(wanted))} for {target}"
    )
