"""Captures by tcpdump that are known to run before anything is sent."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lab import wait
from lab.errors import CommandError, WaitTimeout
from lab.sandbox.place import Node
from lab.scenario.bounds import PACKETS_CAPTURED
from lab.scenario.lines import Lines
from lab.shell import Child

_PACKET = re.compile(
    r"^(?P<time>[\d:.]+) IP6? (?:\(.*\) )?(?P<source>\S+) > (?P<destination>\S+): (?P<summary>.*)"
)

HEADERS = ("-s", "512", "-B", "8192")
"""Bytes of a packet, KiB for all: in immediate mode the kernel keeps a place of the greatest length
for each, and 2 MiB of places for a quarter of a megabyte are full after eight packets."""


@dataclass(frozen=True)
class Packet:
    """A line of tcpdump -n: `source` and `destination` with a port behind a last dot, if any."""

    time: str
    source: str
    destination: str
    summary: str


def packets(lines: list[str]) -> list[Packet]:
    """The IP packets among lines that tcpdump printed; continuation lines are left out."""
    found = (_PACKET.match(line) for line in lines)
    return [Packet(**match.groupdict()) for match in found if match]


class Capture:
    """A running tcpdump: what it has printed so far."""

    def __init__(self, node: str, line: str, child: Child) -> None:
        self.node = node
        self.line = line
        self._child = child
        self._out = Lines(child.stdout)
        self._err = Lines(child.stderr)

    def printed(self) -> list[str]:
        """Lines on standard output so far, one for each packet."""
        return self._out.so_far()

    def stamped(self) -> list[tuple[float, str]]:
        """The same, each with the moment it was read (CLOCK_MONOTONIC, seconds)."""
        return self._out.stamped()

    def packets(self) -> list[Packet]:
        return packets(self.printed())

    def until_listening(self) -> None:
        """Return when the kernel hands packets to tcpdump; CommandError when it gave up."""
        try:
            wait.until(
                lambda: (self._child.poll(), self._err.so_far()),
                lambda seen: seen[0] is not None or any("listening on" in line for line in seen[1]),
                within=PACKETS_CAPTURED.seconds,
                what=f"{self.line} on {self.node} listens",
            )
        except WaitTimeout as timeout:
            raise CommandError(
                shlex.split(self.line), None, "\n".join(self._err.so_far()), where=self.node
            ) from timeout
        if self._child.poll() is not None:
            raise CommandError(
                shlex.split(self.line),
                self._child.returncode,
                "\n".join(self._err.so_far()),
                where=self.node,
            )

    def end(self) -> None:
        """End tcpdump and take the last lines it prints."""
        self._child.terminate()
        self._child.wait()
        self._out.to_the_end()
        self._err.to_the_end()


@contextmanager
def capture(
    node: Node, name: str, interface: str, expression: str, *, options: Sequence[str] = ()
) -> Iterator[Capture]:
    """Run tcpdump on a node's interface for the length of a `with` block."""
    # As root: a change of account would cut the tie that ends tcpdump with its caller.
    quiet = ("-n", "-l", "--immediate-mode", "-Z", "root")
    argv = ["tcpdump", *quiet, *HEADERS, *options, "-i", interface, expression]
    with node.spawn(argv) as child:
        shown = shlex.join(["tcpdump", "-n", *options, "-i", interface, expression])
        taken = Capture(name, shown, child)
        try:
            taken.until_listening()
            yield taken
        finally:
            taken.end()
