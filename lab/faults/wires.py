"""Faults of wires, interfaces and networks.

Losses, corruption and the hard limit of a rate are done by an eBPF program at the far end of the
node's cable (`lab.emulation.wires`), partitions by the bridges between: nothing of them is on the
nodes. The rest is what a person would do with `ip` and `tc`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.errors import CommandError, InputError, MachineError
from lab.faults.acts import Command, Request
from lab.faults.fault import Fault, always
from lab.sandbox.place import Place

PERCENT = 10_000
"""Packets of a million."""

SMALLEST_MTU, LARGEST_MTU = 68, 65535
"""Bytes: what every IPv4 link must carry (RFC 791), and what a veth takes."""


def link_down(node: str, interface: str = "eth0") -> Fault:
    """The cable of an interface is pulled; both ends see it."""
    where = {"node": node, "interface": interface}
    return Fault(
        f"the link of {node} {interface} goes down",
        Request("cut-link", where).do,
        always(Request("mend-link", where)),
        alters=f"the cable of {node} {interface}",
    )


def loss(node: str, interface: str, percent: int) -> Fault:
    """Some of the packets on their way to an interface are lost, by chance."""
    return Fault(
        f"{percent} of 100 packets to {node} {interface} are lost",
        _impair(node, interface, "loss", _share(percent)).do,
        always(_restore(node, interface, "loss")),
        alters=f"the losses of the wire to {node} {interface}",
    )


def corruption(node: str, interface: str, percent: int) -> Fault:
    """Some of the packets that an interface sends arrive with one bit turned, by chance.

    A checksum that no one has filled in yet proves nothing: the interface stops leaving TCP's and
    UDP's to the network card, which a wire without one would never fill in.
    """
    checksums = Command(node, f"ethtool -K {interface} tx off")

    def strike(lab: Place) -> None:
        _has_leg(lab, node, interface)
        checksums.do(lab)
        _impair(node, interface, "corruption", _share(percent)).do(lab)

    return Fault(
        f"{percent} of 100 packets from {node} {interface} are corrupted",
        strike,
        always(
            _restore(node, interface, "corruption"),
            Command(node, f"ethtool -K {interface} tx on"),
        ),
        alters=f"the bits on the wire from {node} {interface}",
    )


def police(node: str, interface: str, megabits: int) -> Fault:
    """What comes to an interface faster than a rate (Mbit/s) is dropped."""
    _check_rate(megabits)
    return Fault(
        f"{node} gets at most {megabits} Mbit/s on {interface}",
        _impair(node, interface, "rate", megabits * 1_000_000).do,
        always(_restore(node, interface, "rate")),
        alters=f"the rate of the wire to {node} {interface}",
    )


def rate_limit(node: str, interface: str, megabits: int) -> Fault:
    """What an interface sends faster than a rate (Mbit/s) waits in a queue (tc's token bucket)."""
    _check_rate(megabits)
    root = f"dev {interface} root"
    return Fault(
        f"{node} sends at most {megabits} Mbit/s on {interface}",
        Command(node, f"tc qdisc add {root} tbf rate {megabits}mbit burst 64kb latency 50ms").do,
        lambda lab: _removes_root(lab, node, interface),
        alters=_queue(node, interface),
    )


def delay(node: str, interface: str, milliseconds: int) -> Fault:
    """What an interface sends is late (milliseconds). Needs the kernel's netem."""
    if milliseconds < 1:
        raise InputError(f"a delay is 1 ms or more, not {milliseconds}")

    def strike(lab: Place) -> None:
        try:
            line = f"tc qdisc add dev {interface} root netem delay {milliseconds}ms"
            Command(node, line).do(lab)
        except CommandError as error:
            raise MachineError(
                f"{node}: this kernel cannot delay packets: {error.output.strip()}",
                "modprobe sch_netem",
            ) from error

    return Fault(
        f"{node} sends {milliseconds} ms late on {interface}",
        strike,
        lambda lab: _removes_root(lab, node, interface),
        alters=_queue(node, interface),
    )


def mtu(node: str, interface: str, size: int) -> Fault:
    """An interface takes smaller packets than its neighbors think (bytes)."""
    if not SMALLEST_MTU <= size <= LARGEST_MTU:
        raise InputError(f"an MTU is {SMALLEST_MTU} to {LARGEST_MTU} bytes, not {size}")
    line = f"ip link set {interface} mtu"

    def as_it_is(lab: Place) -> list[Command]:
        _has_leg(lab, node, interface)
        shown = lab.node(node).run(["ip", "-j", "link", "show", "dev", interface]).json()
        return [Command(node, f"{line} {shown[0]['mtu']}")]

    return Fault(
        f"the MTU of {node} {interface} becomes {size}",
        Command(node, f"{line} {size}").do,
        as_it_is,
        alters=f"the MTU of {node} {interface}",
    )


def icmp_silence(node: str) -> Fault:
    """A node tells nobody that it could not send something on: no ICMP errors come from it."""
    rules = "table ip silence { chain output { type filter hook output priority 0;"
    rules += " icmp type { destination-unreachable, time-exceeded } drop; }; }"
    return Fault(
        f"{node} sends no ICMP errors",
        Command(node, f"nft '{rules}'").do,
        always(Command(node, "nft delete table ip silence")),
        alters=f"the ICMP errors of {node}",
    )


def partition(one: Iterable[str], other: Iterable[str]) -> Fault:
    """Two groups of nodes cannot reach each other, whichever networks they are in."""
    left, right = list(one), list(other)
    both = set(left) & set(right)
    if both:
        raise InputError(f"a node cannot be on both sides: {', '.join(sorted(both))}")
    sides = {"one": left, "other": right}
    groups = [", ".join(sorted(side)) for side in (left, right)]
    return Fault(
        f"{', '.join(left)} and {', '.join(right)} cannot reach each other",
        Request("part-nodes", sides).do,
        always(Request("join-nodes", sides)),
        alters=f"what passes between {' and '.join(sorted(groups))}",
    )


def _has_leg(lab: Place, node: str, interface: str) -> None:
    """InputError unless the interface is one of the node's, as the lab's own faults say it."""
    lab.node(node)
    known = [leg.name for leg in lab.plan.node(node).interfaces]
    if interface not in known:
        raise InputError(f"{node} has no interface {interface!r}; it has {', '.join(known)}")


def _check_rate(megabits: int) -> None:
    if megabits < 1:
        raise InputError(f"a rate is 1 Mbit/s or more, not {megabits}")


def _share(percent: int) -> int:
    if not 0 < percent <= 100:
        raise InputError(f"a share of packets is between 1 and 100 percent, not {percent}")
    return percent * PERCENT


def _queue(node: str, interface: str) -> str:
    return f"the queue of {node} {interface}"


def _impair(node: str, interface: str, trouble: str, amount: int) -> Request:
    return Request(
        "impair-wire",
        {"node": node, "interface": interface, "trouble": trouble, "amount": amount},
    )


def _restore(node: str, interface: str, trouble: str) -> Request:
    return Request("restore-wire", {"node": node, "interface": interface, "trouble": trouble})


def _removes_root(lab: Place, node: str, interface: str) -> Sequence[Command]:
    """A node's interface sends without a queue of its own, so that there is nothing to put back.

    InputError when it has one: one at a time.
    """
    _has_leg(lab, node, interface)
    shown = lab.node(node).run(["tc", "qdisc", "show", "dev", interface, "root"]).out.split()
    if shown[1:2] not in ([], ["noqueue"]):
        raise InputError(
            f"{node} {interface} has a queue already ({' '.join(shown[:2])}): "
            "`lab fault list` tells whose, `lab fault clear` removes it"
        )
    return [Command(node, f"tc qdisc del dev {interface} root")]
