"""The path from a client to a pod with nothing on it: what the balanced path is held against.

    client --- bridge --- router --- bridge --- node --- pod

The same veths, bridges and routed hops that a packet passes in a lab when the router has chosen
the pod's own node, and no program, no rule, no translation on any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lab import shell
from lab.bench.paths.isolation import isolated
from lab.errors import CommandError
from lab.shell import Result
from lab.wait import until

POD = "10.0.1.2"

READY_WITHIN = 60
"""Seconds; ten thousand services take one or two on a quiet machine."""

WIRES = (
    # namespace, interface, address, the other end (a bridge's port or an interface elsewhere)
    ("client", "eth0", "192.168.10.11/24", "lan"),
    ("router", "enp1s0", "192.168.10.1/24", "lan"),
    ("router", "enp7s0", "192.168.1.1/24", "nodes"),
    ("node", "eth0", "192.168.1.21/24", "nodes"),
)
ROUTES = (
    ("client", "default via 192.168.10.1"),
    ("router", "10.0.1.0/24 via 192.168.1.21"),
    ("node", "default via 192.168.1.1"),
    ("node", f"{POD}/32 dev lxc0"),
    ("pod", "10.0.1.1 dev eth0"),
    ("pod", "default via 10.0.1.1"),
)


def _script(more: Sequence[str]) -> Iterator[str]:
    for name in ("client", "router", "node", "pod"):
        yield f"ip netns add {name}"
        yield f"ip -n {name} link set lo up"
    for bridge in ("lan", "nodes"):
        yield f"ip link add {bridge} type bridge"
        yield f"ip link set {bridge} up"
    for number, (name, interface, address, bridge) in enumerate(WIRES):
        yield f"ip link add p{number} type veth peer name {interface} netns {name}"
        yield f"ip link set p{number} master {bridge} up"
        yield f"ip -n {name} address add {address} dev {interface}"
        yield f"ip -n {name} link set {interface} up"
    yield "ip -n node link add lxc0 type veth peer name eth0 netns pod"
    yield "ip -n node address add 10.0.1.1/32 dev lxc0"
    yield "ip -n node link set lxc0 up"
    yield f"ip -n pod address add {POD}/32 dev eth0"
    yield "ip -n pod link set eth0 up"
    for name, route in ROUTES:
        yield f"ip -n {name} route add {route}"
    for name in ("router", "node"):
        yield f"ip netns exec {name} sysctl -qw net.ipv4.ip_forward=1"
    yield from more
    yield "echo ready > /run/ready"
    yield "exec sleep infinity"


class BarePath:
    """The running path; programs are started in its namespaces by name."""

    def __init__(self, holder: int) -> None:
        self._holder = holder

    def inside(self, name: str, argv: Sequence[str]) -> list[str]:
        """The words that run a program in one of its namespaces."""
        enter = ["nsenter", "-t", str(self._holder), "-m", "-p", "-n"]
        return [*enter, "ip", "netns", "exec", name, *argv]

    def run(self, name: str, argv: Sequence[str], *, timeout: float = 30.0) -> Result:
        return shell.run(self.inside(name, argv), timeout=timeout, where=name)


@contextmanager
def bare_path(more: Sequence[str] = ()) -> Iterator[BarePath]:
    """The path for the length of a `with` block; `more`: shell lines that make it another one."""
    script = " && ".join(_script(more))
    with shell.spawn(isolated(["sh", "-c", script])) as unshare:
        holder = until(
            lambda: _ready_child(unshare),
            bool,
            within=READY_WITHIN,
            what="the path's namespaces",
        )
        yield BarePath(holder)
        unshare.kill()  # SIGTERM means nothing to it, and its namespaces end with it


def _ready_child(unshare: shell.Child) -> int:
    """The first process inside, once it has built everything; 0 before.

    CommandError when it ended instead: a step failed, and nothing will ever be ready.
    """
    if (code := unshare.poll()) is not None:
        said = unshare.stderr.read() if unshare.stderr else ""
        raise CommandError(["unshare", "...", "sh"], code, said, where="a benchmark's path")
    children = shell.probe(["pgrep", "-P", str(unshare.pid)]).out.split()
    if not children:
        return 0
    look = ["nsenter", "-t", children[0], "-m", "test", "-e", "/run/ready"]
    return int(children[0]) if shell.probe(look).ok else 0
