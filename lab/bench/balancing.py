"""Through the VIP, the pod on the node that the router chose, against the same path without it.

TCP throughput and packets a second with iperf3; connections a second, and requests on one
connection, with a client of our own.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from lab import shell
from lab.agent.pods.images import IMAGES, Image
from lab.bench.accounting import node_of, settle
from lab.bench.model import Row, in_turns
from lab.bench.paths.bare_path import POD, BarePath, bare_path
from lab.bench.running import address_of, answers, apply, running
from lab.bench.workload import deployment, load_balancer
from lab.sandbox.handle import Lab, LabNode
from lab.shell import Result
from lab.wait import until

SECONDS = 0.25
"""Length of one measurement: many short turns agree better than few long ones."""
TURNS = 8
"""In a round."""
BYTES, PACKETS = 3_500_000_000, 250_000
"""About what passes in a second: iperf3 counts whole seconds only, so it is told amounts."""
IPERF = 5201
BARE = "bare path"

Run = Callable[[Sequence[str]], Result]
"""Runs a program at the client and returns its result."""


def measure(rounds: int) -> Iterator[Row]:
    with ExitStack() as stack:
        lab = stack.enter_context(running("balancing", "-O", "profile=modern"))
        bare = stack.enter_context(bare_path())
        stack.enter_context(bare_servers(bare))
        apply(
            lab,
            deployment("iperf", "iperf3"),
            load_balancer("iperf", [("TCP", IPERF), ("UDP", IPERF)], local=True),
            deployment("web", "nginx"),
            load_balancer("web", [("TCP", 80)], local=True),
        )
        iperf, web = address_of(lab, "iperf"), address_of(lab, "web")
        client = lab.node("client1")
        answers(lab, "client1", f"http://{web}/")
        listens(client.probe, iperf)
        from_bare_client = partial(bare.run, "client")
        listens(from_bare_client, POD)
        vip = Side(client.run, iperf, web)
        nodes = [node_of(lab, app) for app in ("iperf", "web")]
        yield from _rows(
            rounds * TURNS,
            partial(_then_settled, lab, nodes, vip),
            Side(from_bare_client, POD, POD),
        )


class Side:
    """One of the two paths: how to run a program at its client, and the servers' addresses."""

    def __init__(self, run: Run, iperf: str, web: str, seconds: float = SECONDS) -> None:
        self._run = run
        self._seconds = seconds
        self._iperf = iperf
        self._web = web

    def throughput(self) -> float:
        """Gbit/s of one TCP connection, as the receiver counts them."""
        end = self._measured_by_iperf("-n", str(int(BYTES * self._seconds)))
        return float(end["sum_received"]["bits_per_second"]) / 1e9

    def packets(self) -> float:
        """UDP packets of 64 bytes that arrive in a second."""
        amount = str(int(PACKETS * self._seconds))
        total = self._measured_by_iperf("-u", "-b", "0", "-l", "64", "-k", amount)["sum"]
        return float(total["packets"] - total["lost_packets"]) / float(total["seconds"])

    def connections(self) -> float:
        """HTTP requests in a second, each on a connection of its own."""
        return self._requests()

    def requests(self) -> float:
        """HTTP requests in a second, one after the other on one connection: its inverse is the
        time there and back.
        """
        return self._requests("kept")

    def _requests(self, *how: str) -> float:
        words = ["-m", "lab.bench.programs.connections", self._web, str(self._seconds), *how]
        return float(self._run([sys.executable, *words]).out)

    def _measured_by_iperf(self, *options: str) -> dict[str, dict[str, float]]:
        argv = ["iperf3", "-c", self._iperf, "-J", *options]
        end: dict[str, dict[str, float]] = self._run(argv).json()["end"]
        return end


Measure = Callable[[Side], float]


def _then_settled(lab: Lab, nodes: Sequence[LabNode], side: Side, measure: Measure) -> float:
    """What is still to be read of the lab's events is work of this turn, not of the next."""
    value = measure(side)
    for node in nodes:
        settle(lab, node)
    return value


def _rows(turns: int, vip: Callable[[Measure], float], bare: Side) -> Iterator[Row]:
    for name, unit, target, of in (
        ("TCP, one connection", "Gbit/s", 0.95, Side.throughput),
        ("UDP packets of 64 bytes", "/s", 1.1, Side.packets),
        ("HTTP connections", "/s", 0.95, Side.connections),
        ("HTTP requests, one by one", "/s", 0.95, Side.requests),
    ):
        ours, other = in_turns(turns, partial(vip, of), partial(of, bare))
        yield Row.of_turns(name, unit, ours, other, BARE, target)


def listens(run: Run, address: str) -> None:
    argv = ["sh", "-c", f"iperf3 -c {address} -n 1K >/dev/null 2>&1 && echo yes || true"]
    until(partial(run, argv), lambda seen: seen.out, within=30, what=f"iperf3 at {address}")


@contextmanager
def bare_servers(bare: BarePath, pod: str = "pod") -> Iterator[None]:
    """nginx and iperf3 in one of a path's namespaces, as pods of these images run them."""
    with TemporaryDirectory(dir="/var/tmp") as directory, ExitStack() as stack:
        for name in ("nginx", "iperf3"):
            script = _as_in_a_pod(IMAGES[name], Path(directory) / name)
            stack.enter_context(shell.spawn(bare.inside(pod, ["sh", "-c", script])))
        yield


def _as_in_a_pod(image: Image, here: Path) -> str:
    """The shell line that runs an image's program with the image's files over the machine's.

    Another configuration would be measured as well: nginx sends a page in one packet or in two.
    """
    script = []
    for number, (place, files) in enumerate(image.files.items()):
        folder = here / str(number)
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_text(content)
        script.append(f"mount --bind {folder} {place}")
    program = shlex.join([*image.entrypoint, *image.arguments])
    return " && ".join([*script, f"exec {program} >{here}.log 2>&1"])
