"""Faults: what goes wrong in a lab on purpose, and how each is put right again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

from lab.errors import InputError, MachineError
from lab.sandbox.place import Place

NOBODY = "02:00:00:00:00:00"
"""A MAC address that no interface of a lab has."""

LOSS = "lab-loss"
"""Name of the nftables table that loses packets."""


@dataclass(frozen=True)
class Fault:
    """What breaks, in words, and how; `mend` undoes `strike` and does no harm twice."""

    words: str
    strike: Callable[[Place], object]
    mend: Callable[[Place], object]


def link_down(node: str, interface: str = "eth0") -> Fault:
    """The cable of an interface is pulled; both ends see it."""
    return Fault(
        f"the link of {node} {interface} goes down",
        lambda lab: lab.ask("cut-link", node=node, interface=interface),
        lambda lab: lab.ask("mend-link", node=node, interface=interface),
    )


def node_crash(node: str) -> Fault:
    """Power off: everything on the node dies, nobody is told. Mended, it boots."""
    return Fault(
        f"{node} loses its power",
        lambda lab: lab.ask("crash-node", node=node),
        lambda lab: lab.ask("boot-node", node=node, timeout=30.0),
    )


def agent_stop(node: str) -> Fault:
    """SIGKILL for the node's agent, which does not come back until mended. Pods live on."""
    return _service(f"the agent of {node} is killed", f"agent@{node}")


def api_server_stop() -> Fault:
    """SIGKILL for the API server, which does not come back until mended."""
    return _service("the API server is killed", "api-server")


def frr_kill(node: str, daemon: str = "bgpd") -> Fault:
    """SIGKILL for one of a node's FRR daemons; mended, it starts and the agent tells it all."""
    return Fault(
        f"{daemon} of {node} is killed",
        lambda lab: _run(lab, node, f"sh -c 'kill -9 $(cat /run/frr/{daemon}.pid)'"),
        lambda lab: lab.ask("start-routing", node=node, timeout=30.0),
    )


def bgp_stop(node: str) -> Fault:
    """SIGKILL for a node's bgpd. Mended, it starts empty; the agent tells it everything again."""
    return Fault(
        f"the BGP daemon of {node} is killed",
        lambda lab: _run(lab, node, "sh -c 'kill -9 $(cat /run/frr/bgpd.pid)'"),
        lambda lab: _run(
            lab,
            node,
            "/usr/lib/frr/bgpd -d -f /etc/frr/start/bgpd.conf --log file:/etc/frr/bgpd.log",
        ),
    )


def session_reset(router: str, neighbor: str) -> Fault:
    """A BGP session is closed by the router; both sides open it again by themselves."""
    return Fault(
        f"{router} resets its BGP session with {neighbor}",
        lambda lab: _run(lab, router, f"vtysh -c 'clear bgp {neighbor}'"),
        _nothing_to_do,
    )


def mtu(node: str, interface: str, size: int, normal: int = 1500) -> Fault:
    """An interface takes smaller packets than its neighbors think (bytes)."""
    return Fault(
        f"the MTU of {node} {interface} becomes {size}",
        lambda lab: _run(lab, node, f"ip link set {interface} mtu {size}"),
        lambda lab: _run(lab, node, f"ip link set {interface} mtu {normal}"),
    )


def rate_limit(node: str, interface: str, megabits: int) -> Fault:
    """What a node sends on an interface is held to a rate, by a token bucket (Mbit/s)."""
    return Fault(
        f"{node} sends at most {megabits} Mbit/s on {interface}",
        lambda lab: _run(
            lab,
            node,
            f"tc qdisc replace dev {interface} root tbf rate {megabits}mbit "
            "burst 64kb latency 50ms",
        ),
        lambda lab: _remove(lab, node, f"tc qdisc del dev {interface} root"),
    )


def loss(node: str, interface: str, percent: int) -> Fault:
    """Some of the packets that reach an interface are lost, by chance. Not on a cluster's nodes.

    By netfilter's ingress hook, which comes after the programs at tc: they would never notice. A
    packet lost where it is sent would be no loss either, since its sender is told.
    """

    def strike(lab: Place) -> None:
        if lab.plan.node(node).is_kube:
            raise InputError(f"{node} takes packets before they could be lost: choose the router")
        hook = f"{{ type filter hook ingress device {interface} priority 0; }}"
        for words in (
            ["add", "table", "netdev", LOSS],
            ["add", "chain", "netdev", LOSS, "arriving", hook],
            f"add rule netdev {LOSS} arriving numgen random mod 100 lt {percent} drop".split(),
        ):
            lab.node(node).run(["nft", *words])

    return Fault(
        f"{node} loses {percent} of 100 packets that arrive on {interface}",
        strike,
        lambda lab: _remove(lab, node, f"nft delete table netdev {LOSS}"),
    )


def delay(node: str, interface: str, milliseconds: int) -> Fault:
    """What a node sends on an interface is late. Needs the kernel's netem (MachineError)."""

    def strike(lab: Place) -> None:
        line = f"tc qdisc replace dev {interface} root netem delay {milliseconds}ms"
        done = lab.node(node).probe(shlex.split(line))
        if not done.ok:
            raise MachineError(
                f"{node}: this kernel cannot delay packets: {done.err.strip()}",
                "modprobe sch_netem",
            )

    return Fault(
        f"{node} sends {milliseconds} ms late on {interface}",
        strike,
        lambda lab: _remove(lab, node, f"tc qdisc del dev {interface} root"),
    )


def partition(one: Iterable[str], other: Iterable[str]) -> Fault:
    """Two groups of nodes of one network cannot reach each other; both reach everyone else.

    Each node's neighbor table gives the others of that group a MAC address that nobody has.
    """
    left, right = tuple(one), tuple(other)
    if set(left) & set(right):
        raise InputError(f"a node cannot be on both sides: {', '.join(set(left) & set(right))}")
    return Fault(
        f"{', '.join(left)} and {', '.join(right)} cannot reach each other",
        lambda lab: _part(lab, left, right, "replace {} lladdr " + NOBODY + " nud permanent"),
        lambda lab: _part(lab, left, right, "flush to {} nud permanent"),
    )


def _nothing_to_do(lab: Place) -> None:
    """This fault mends itself."""


def _part(lab: Place, left: Iterable[str], right: Iterable[str], change: str) -> None:
    for pair in product(left, right):
        for here, there in (pair, pair[::-1]):
            leg = lab.plan.node(here).interfaces[0].name
            address = str(lab.plan.node(there).address)
            _run(lab, here, f"ip neigh {change.format(address)} dev {leg}")


def _service(words: str, name: str) -> Fault:
    return Fault(
        words,
        lambda lab: lab.ask("stop-service", name=name, hard=True),
        lambda lab: lab.ask("start-service", name=name),
    )


def _run(lab: Place, node: str, line: str) -> None:
    lab.node(node).run(shlex.split(line))


def _remove(lab: Place, node: str, line: str) -> None:
    """Run a command that removes something, and be content when it is not there."""
    lab.node(node).probe(shlex.split(line))
